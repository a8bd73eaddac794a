#include "proxy/buf-bio.h"

#include <limits.h>

static int read_buf(BIO *bio, char *into, int room)
{
	struct buf *buf = BIO_get_data(bio);
	size_t count = room > 0 ? (size_t)room : 0;

	BIO_clear_retry_flags(bio);
	count = buf->len < count ? buf->len : count;
	if (count == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(into, buf_text(buf), count);
	buf_drop(buf, count);
	return (int)count;
}

static int write_buf(BIO *bio, const char *bytes, int len)
{
	struct buf *buf = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	return len >= 0 && buf_append(buf, slice_of(bytes, (size_t)len)) == 0 ? len : -1;
}

/* The library asks for more than these, and takes 0 for "not here". */
static long control(BIO *bio, int what, long number, void *more)
{
	const struct buf *buf = BIO_get_data(bio);

	(void)number, (void)more;
	if (what == BIO_CTRL_FLUSH)
		return 1;
	if (what == BIO_CTRL_PENDING)
		return buf->len < LONG_MAX ? (long)buf->len : LONG_MAX;
	return 0;
}

BIO_METHOD *buf_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "buf");

	if (method && BIO_meth_set_read(method, read_buf) == 1 &&
	    BIO_meth_set_write(method, write_buf) == 1 && BIO_meth_set_ctrl(method, control) == 1)
		return method;
	BIO_meth_free(method);
	return NULL;
}

BIO *buf_bio_new(const BIO_METHOD *method, struct buf *buf)
{
	BIO *bio = BIO_new(method);

	if (!bio)
		return NULL;
	BIO_set_data(bio, buf);
	BIO_set_init(bio, 1);
	return bio;
}
