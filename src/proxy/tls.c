#include "proxy/tls.h"

#include "proxy/buf-bio.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { KEPT_BYTES = 4096 /* what an empty buffer may go on holding */ };

struct tls_settings {
	SSL_CTX *server, *client;
	BIO_METHOD *bytes;
	struct buf store; /* PEM, until somebody asks for what it says */
	bool is_store_new;
};

struct tls {
	SSL *ssl;
	struct buf in, out; /* of the other end, and for it */
	unsigned protocols;
	bool prefers_http1, is_server, has_ended;
	const char *why;
};

/* ---- settings ---- */

int tls_prepare(void)
{
	unsigned char byte;

	tzset(); /* which gmtime_r() would do */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) != 1)
		return -EIO;
	return RAND_bytes(&byte, 1) == 1 ? 0 : -EIO;
}

static const unsigned char http1_name[] = "\x08http/1.1";
static const unsigned char both_names[] = "\x02h2\x08http/1.1";

enum { HTTP1_NAME_BYTES = sizeof(http1_name) - 1, BOTH_NAMES_BYTES = sizeof(both_names) - 1 };

static bool is_offered(const unsigned char *in, unsigned len, const char *name)
{
	for (unsigned at = 0; at < len && at + in[at] < len; at += 1U + in[at])
		if (slice_is(slice_of(in + at + 1, in[at]), name))
			return true;
	return false;
}

/* A client that offers nothing that is spoken here gets no answer to its offer: some send odd ones and speak
 * HTTP/1. */
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
			   const unsigned char *in, unsigned len, void *data)
{
	const struct tls *tls = SSL_get_app_data(ssl);
	bool may_http1 = (tls->protocols & TLS_HTTP1) && is_offered(in, len, "http/1.1");
	bool may_http2 = (tls->protocols & TLS_HTTP2) && is_offered(in, len, "h2");
	static const char http1[] = "http/1.1", http2[] = "h2";
	const char *chosen = may_http2 && !(may_http1 && tls->prefers_http1) ? http2 : http1;

	(void)data;
	if (!may_http1 && !may_http2)
		return SSL_TLSEXT_ERR_NOACK;
	*ret = (const unsigned char *)chosen;
	*ret_len = (unsigned char)strlen(chosen);
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		return NULL;
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
					     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_num_tickets(context, 0) == 1)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

int tls_settings_new(struct tls_settings **ret)
{
	struct tls_settings *settings = calloc(1, sizeof(*settings));

	if (!settings)
		return -ENOMEM;
	settings->server = new_context(TLS_server_method());
	settings->client = new_context(TLS_client_method());
	settings->bytes = buf_bio_method();
	if (!settings->server || !settings->client || !settings->bytes) {
		SSL_CTX_free(settings->server);
		SSL_CTX_free(settings->client);
		BIO_meth_free(settings->bytes);
		free(settings);
		return -ENOMEM;
	}
	SSL_CTX_set_alpn_select_cb(settings->server, choose_protocol, NULL);
	SSL_CTX_set_verify(settings->client, SSL_VERIFY_PEER, NULL);
	*ret = settings;
	return 0;
}

int tls_settings_trust(struct tls_settings *settings, struct slice pem)
{
	struct buf store = {0};
	int r = buf_append(&store, pem);

	if (r < 0)
		return r;
	buf_done(&settings->store);
	settings->store = store;
	settings->is_store_new = true;
	return 0;
}

/* Reading a whole store takes milliseconds, and most sandboxes never need it. */
static int load_store(struct tls_settings *settings)
{
	BIO *text;
	X509_STORE *store;
	X509 *certificate;

	if (!settings->is_store_new)
		return 0;
	text = BIO_new_mem_buf(buf_text(&settings->store), (int)settings->store.len);
	store = X509_STORE_new();
	if (!text || !store) {
		BIO_free(text);
		X509_STORE_free(store);
		return -ENOMEM;
	}
	while ((certificate = PEM_read_bio_X509_AUX(text, NULL, NULL, NULL))) {
		(void)X509_STORE_add_cert(store, certificate);
		X509_free(certificate);
	}
	ERR_clear_error();
	BIO_free(text);
	SSL_CTX_set_cert_store(settings->client, store);
	buf_done(&settings->store);
	settings->is_store_new = false;
	return 0;
}

/* ---- a connection ---- */

static int new_tls(const struct tls_settings *settings, bool is_server, unsigned protocols, struct tls **ret)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	BIO *in, *out;

	if (!tls)
		return -ENOMEM;
	tls->is_server = is_server;
	tls->protocols = protocols;
	tls->ssl = SSL_new(is_server ? settings->server : settings->client);
	in = buf_bio_new(settings->bytes, &tls->in);
	out = buf_bio_new(settings->bytes, &tls->out);
	if (!tls->ssl || !in || !out) {
		BIO_free(in);
		BIO_free(out);
		SSL_free(tls->ssl);
		free(tls);
		return -ENOMEM;
	}
	SSL_set_bio(tls->ssl, in, out);
	SSL_set_app_data(tls->ssl, tls);
	*ret = tls;
	return 0;
}

int tls_accept(struct tls_settings *settings, X509 *certificate, EVP_PKEY *key, unsigned protocols,
	       bool prefers_http1, struct tls **ret)
{
	struct tls *tls;
	int r = new_tls(settings, /* is_server= */ true, protocols, &tls);

	if (r < 0)
		return r;
	tls->prefers_http1 = prefers_http1;
	if (SSL_use_certificate(tls->ssl, certificate) != 1 || SSL_use_PrivateKey(tls->ssl, key) != 1) {
		tls_free(tls);
		return -EINVAL;
	}
	SSL_set_accept_state(tls->ssl);
	*ret = tls;
	return 0;
}

/* An address is no name that a handshake may carry (RFC 6066, 3). */
static bool name_server(struct tls *tls, const struct host *host)
{
	X509_VERIFY_PARAM *wanted = SSL_get0_param(tls->ssl);

	if (host->is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(wanted, host->text) == 1;
	X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(wanted, host->text, 0) == 1 &&
	       SSL_set_tlsext_host_name(tls->ssl, host->text) == 1;
}

int tls_connect(struct tls_settings *settings, const struct host *host, unsigned protocols, struct tls **ret)
{
	bool has_both = protocols & TLS_HTTP2;
	struct tls *tls;
	int r = load_store(settings);

	r = r < 0 ? r : new_tls(settings, /* is_server= */ false, protocols, &tls);
	if (r < 0)
		return r;
	/* The answer is 0 for success. */
	if (!name_server(tls, host) || SSL_set_alpn_protos(tls->ssl, has_both ? both_names : http1_name,
							   has_both ? BOTH_NAMES_BYTES : HTTP1_NAME_BYTES)) {
		tls_free(tls);
		return -EINVAL;
	}
	SSL_set_connect_state(tls->ssl);
	*ret = tls;
	return tls_read(tls, NULL);
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	buf_done(&tls->in);
	buf_done(&tls->out);
	free(tls);
}

int tls_feed(struct tls *tls, struct slice bytes)
{
	/* Nobody reads any more, so nothing may gather. */
	if (tls->why || tls->has_ended)
		return tls->why ? -EPROTO : 0;
	return buf_append(&tls->in, bytes);
}

/* ---- why not ---- */

static const char *why_unverified(long result)
{
	switch (result) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "the server's certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the server's certificate is not valid yet";
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return "the server's certificate is for another name";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return "the server's certificate comes from nobody whom this machine trusts";
	default:
		return "the server's certificate cannot be verified";
	}
}

/* Alerts that say "I do not trust you". */
static bool is_distrust(int reason)
{
	return reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA || reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
	       reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
	       reason == SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE;
}

static const char *explain(const struct tls *tls)
{
	unsigned long error = ERR_peek_error();
	int reason = ERR_GET_REASON(error);

	if (tls->is_server)
		return is_distrust(reason) ? "the client does not trust the sandbox's own certificates"
					   : "the client's TLS is malformed";
	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return why_unverified(SSL_get_verify_result(tls->ssl));
	if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION)
		return "the server speaks no TLS that is safe: 1.2 at least is needed";
	return "the server does not come to terms about TLS";
}

/* ---- bytes ---- */

/* Nothing to read is no error; anything else is the end of it. */
static int judge(struct tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		tls->has_ended = true;
		return 0;
	default:
		tls->why = explain(tls);
		return -EPROTO;
	}
}

static int read_pieces(struct tls *tls, struct buf *into)
{
	for (;;) {
		char *space = buf_space(into, TLS_PIECE_BYTES);
		int count = space ? SSL_read(tls->ssl, space, TLS_PIECE_BYTES) : 0;

		if (!space)
			return -ENOMEM;
		if (count <= 0)
			return judge(tls, count);
		buf_grow(into, (size_t)count);
		/* Asking once more costs as much as reading. */
		if (tls->in.len == 0 && SSL_pending(tls->ssl) == 0)
			return 0;
	}
}

int tls_read(struct tls *tls, struct buf *into)
{
	int result;

	if (tls->why)
		return -EPROTO;
	ERR_clear_error();
	if (!SSL_is_init_finished(tls->ssl)) {
		result = SSL_do_handshake(tls->ssl);
		if (result <= 0)
			return judge(tls, result);
	}
	result = into ? read_pieces(tls, into) : 0;
	if (tls->in.len == 0 && tls->in.room > KEPT_BYTES)
		buf_done(&tls->in);
	return result;
}

int tls_write(struct tls *tls, struct slice bytes)
{
	while (bytes.len > 0) {
		int len = bytes.len < INT_MAX ? (int)bytes.len : INT_MAX;
		int count;

		ERR_clear_error();
		count = SSL_write(tls->ssl, bytes.ptr, len);
		if (count <= 0)
			return -EPIPE;
		bytes = slice_skip(bytes, (size_t)count);
	}
	return 0;
}

void tls_end(struct tls *tls)
{
	ERR_clear_error();
	if (!tls->why && SSL_is_init_finished(tls->ssl))
		(void)SSL_shutdown(tls->ssl);
}

struct slice tls_outgoing(const struct tls *tls)
{
	return buf_slice(&tls->out);
}

void tls_sent(struct tls *tls)
{
	if (tls->out.room > KEPT_BYTES)
		buf_done(&tls->out);
	else
		buf_clear(&tls->out);
}

bool tls_is_open(const struct tls *tls)
{
	return SSL_is_init_finished(tls->ssl);
}

bool tls_has_ended(const struct tls *tls)
{
	return tls->has_ended;
}

enum tls_protocol tls_protocol(const struct tls *tls)
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(tls->ssl, &name, &len);
	return slice_is(slice_of(name, len), "h2") ? TLS_HTTP2 : TLS_HTTP1;
}

const char *tls_why(const struct tls *tls)
{
	return tls->why ? tls->why : "TLS is broken";
}
