/*
 * static-client HOST PORT PATH: one request with the credential of ACME_KEY over TLS, as a program does it
 * that has all its libraries built in: what it trusts is where OpenSSL looks by itself. Prints the answer's
 * body.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX_BYTES = 4096 };

static int fail(const char *what, SSL *ssl)
{
	long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

	if (verdict != X509_V_OK)
		fprintf(stderr, "%s: certificate: %s\n", what, X509_verify_cert_error_string(verdict));
	else
		fprintf(stderr, "%s: %s\n", what, ERR_reason_error_string(ERR_peek_last_error()));
	return EXIT_FAILURE;
}

/* The connection to that host, its certificate verified; NULL where there is none. */
static BIO *open_connection(SSL_CTX *context, const char *host, const char *port, SSL **ret_ssl)
{
	BIO *connection = BIO_new_ssl_connect(context);

	if (!connection)
		return NULL;
	BIO_get_ssl(connection, ret_ssl);
	BIO_set_conn_hostname(connection, host);
	BIO_set_conn_port(connection, port);
	SSL_set_tlsext_host_name(*ret_ssl, host);
	SSL_set1_host(*ret_ssl, host);
	return connection;
}

int main(int argc, char **argv)
{
	const char *key = getenv("ACME_KEY"), *body;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	char answer[ANSWER_MAX_BYTES + 1];
	SSL *ssl = NULL;
	BIO *connection;
	int len = 0, n;

	if (argc != 4 || !key || !context || SSL_CTX_set_default_verify_paths(context) != 1)
		return 2;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	connection = open_connection(context, argv[1], argv[2], &ssl);
	if (!connection || BIO_do_connect(connection) <= 0)
		return fail("no connection", ssl);
	BIO_printf(connection,
		   "GET %s HTTP/1.1\r\nHost: %s:%s\r\nX-Acme-Key: %s\r\nConnection: close\r\n\r\n", argv[3],
		   argv[1], argv[2], key);
	while (len < ANSWER_MAX_BYTES && (n = BIO_read(connection, answer + len, ANSWER_MAX_BYTES - len)) > 0)
		len += n;
	answer[len] = '\0';
	body = strstr(answer, "\r\n\r\n");
	if (!body)
		return fail("no answer", ssl);
	fputs(body + 4, stdout);
	BIO_free_all(connection);
	SSL_CTX_free(context);
	return EXIT_SUCCESS;
}
