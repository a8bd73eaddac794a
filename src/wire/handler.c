#include "wire/handler.h"

void handler_on_response(struct h2_stream *stream, int status)
{
	struct handler *handler = h2_data(stream);

	if (handler && handler->ops->on_response)
		handler->ops->on_response(handler, status);
}

void handler_on_inform(struct h2_stream *stream)
{
	struct handler *handler = h2_data(stream);

	if (handler && handler->ops->on_inform)
		handler->ops->on_inform(handler);
}

void handler_on_data(struct h2_stream *stream, struct slice data)
{
	struct handler *handler = h2_data(stream);

	if (handler)
		handler->ops->on_data(handler, stream, data);
	else
		h2_consume(stream, data.len);
}

void handler_on_end(struct h2_stream *stream)
{
	struct handler *handler = h2_data(stream);

	if (handler && handler->ops->on_end)
		handler->ops->on_end(handler, stream);
}

void handler_on_drain(struct h2_stream *stream)
{
	struct handler *handler = h2_data(stream);

	if (handler && handler->ops->on_drain)
		handler->ops->on_drain(handler);
}

void handler_on_close(struct h2_stream *stream, uint32_t error)
{
	struct handler *handler = h2_data(stream);

	(void)error;
	if (handler)
		handler->ops->on_close(handler);
}
