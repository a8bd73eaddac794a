/*
 * A tunnel that carries HTTP/1 requests, one after another. Each is read strictly, judged by the policy
 * of that moment, and written anew for the server; so is each answer for the client.
 */
#pragma once

#include "proxy/tunnel.h"

/* Every request is for the tunnel's host. */
void flow_start(struct tunnel *tunnel);

/* The same inside the tunnel's TLS; the server is spoken to inside TLS too. */
void flow_start_secure(struct tunnel *tunnel);

/* The tunnel is one stream of a client's HTTP/2 session, and one request. */
void flow_start_stream(struct tunnel *tunnel);

/* The client speaks to a proxy: each request names its host, and CONNECT asks for a connection. */
void flow_start_proxy(struct tunnel *tunnel);
