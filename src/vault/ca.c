#include "vault/ca.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum {
	HOST_MAX_BYTES = 253,
	SERIAL_BITS = 127, /* positive, and more than 64 random bits */
	DAY_S = 24 * 60 * 60,
	CA_DAYS = 3650,
	LEAF_DAYS = 90,
	CLOCK_SKEW_DAYS = 2, /* a guest's clock may be behind for a moment */
};

struct ca {
	EVP_PKEY *key;
	X509 *certificate;
	EVP_PKEY *leaf_key; /* of all the certificates that are minted: one process uses them */
};

static void free_x509(X509 **certificate)
{
	X509_free(*certificate);
}
#define auto_x509 __attribute__((cleanup(free_x509)))

static void free_bio(BIO **bio)
{
	BIO_free(*bio);
}
#define auto_bio __attribute__((cleanup(free_bio)))

void ca_free(struct ca *ca)
{
	if (!ca)
		return;
	EVP_PKEY_free(ca->key);
	EVP_PKEY_free(ca->leaf_key);
	X509_free(ca->certificate);
	free(ca);
}

static int set_serial(X509 *certificate)
{
	BIGNUM *number = BN_new();
	bool is_good = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		       BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

	BN_free(number);
	return is_good ? 0 : -ENOMEM;
}

static int set_name(X509 *certificate, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(certificate);

	return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
					  0) == 1
		       ? 0
		       : -EINVAL;
}

static int add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	int r;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	r = extension && X509_add_ext(certificate, extension, -1) == 1 ? 0 : -EINVAL;
	X509_EXTENSION_free(extension);
	return r;
}

/* A certificate with all but its extensions and its signature. */
static X509 *begin(const char *name, EVP_PKEY *key, int days)
{
	X509 *certificate = X509_new();

	if (certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
	    set_serial(certificate) == 0 && set_name(certificate, name) == 0 &&
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -(long)CLOCK_SKEW_DAYS * DAY_S) &&
	    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * DAY_S) &&
	    X509_set_pubkey(certificate, key) == 1)
		return certificate;
	X509_free(certificate);
	return NULL;
}

static int make_certificate(struct ca *ca, const char *name)
{
	auto_x509 X509 *made = begin(name, ca->key, CA_DAYS);
	int r = made ? 0 : -ENOMEM;

	if (r == 0 && X509_set_issuer_name(made, X509_get_subject_name(made)) != 1)
		r = -ENOMEM;
	r = r < 0 ? r : add_extension(made, made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	r = r < 0 ? r : add_extension(made, made, NID_key_usage, "critical,keyCertSign,cRLSign");
	r = r < 0 ? r : add_extension(made, made, NID_subject_key_identifier, "hash");
	if (r == 0 && X509_sign(made, ca->key, EVP_sha256()) == 0)
		r = -EIO;
	if (r < 0)
		return r;
	ca->certificate = made;
	made = NULL;
	return 0;
}

static int add_leaf_key(struct ca *ca)
{
	ca->leaf_key = EVP_EC_gen("P-256");
	return ca->leaf_key ? 0 : -ENOMEM;
}

int ca_new(const char *name, struct ca **ret)
{
	struct ca *ca = calloc(1, sizeof(*ca));
	int r = ca ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	ca->key = EVP_EC_gen("P-256");
	r = ca->key ? make_certificate(ca, name) : -ENOMEM;
	r = r < 0 ? r : add_leaf_key(ca);
	if (r < 0)
		ca_free(ca);
	else
		*ret = ca;
	return r;
}

int ca_load(struct slice text, struct ca **ret)
{
	auto_bio BIO *bio = text.len <= INT_MAX ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
	struct ca *ca = calloc(1, sizeof(*ca));
	int r = bio && ca ? 0 : -ENOMEM;

	if (r == 0) {
		ca->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		ca->certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (!ca->key || !ca->certificate || X509_check_private_key(ca->certificate, ca->key) != 1 ||
		    X509_check_ca(ca->certificate) != 1)
			r = -EBADMSG;
	}
	r = r < 0 ? r : add_leaf_key(ca);
	if (r < 0)
		ca_free(ca);
	else
		*ret = ca;
	return r;
}

static int append(struct buf *into, BIO *bio)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);

	return len < 0 ? -EIO : buf_append(into, slice_of(text, (size_t)len));
}

static int write_pem(struct buf *into, EVP_PKEY *key, X509 *certificate)
{
	/* Wiped when it is freed. */
	auto_bio BIO *bio = BIO_new(BIO_s_secmem());

	if (!bio || (key && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) ||
	    PEM_write_bio_X509(bio, certificate) != 1)
		return -ENOMEM;
	return append(into, bio);
}

int ca_save(const struct ca *ca, struct buf *into)
{
	return write_pem(into, ca->key, ca->certificate);
}

int ca_certificate(const struct ca *ca, struct buf *into)
{
	return write_pem(into, NULL, ca->certificate);
}

static bool is_address(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* What could mean something in an extension's text is in no name. */
static bool is_name(const char *host)
{
	size_t len = strlen(host);

	for (size_t i = 0; i < len; i++)
		if (!isascii(host[i]) || (!isalnum((unsigned char)host[i]) && !strchr(".-_", host[i])))
			return false;
	return len > 0 && len <= HOST_MAX_BYTES;
}

static int add_host(X509 *certificate, X509 *issuer, const char *host)
{
	char text[HOST_MAX_BYTES + 8];

	snprintf(text, sizeof(text), "%s:%s", is_address(host) ? "IP" : "DNS", host);
	return add_extension(certificate, issuer, NID_subject_alt_name, text);
}

int ca_mint(const struct ca *ca, const char *host, struct buf *into)
{
	auto_x509 X509 *leaf = NULL;
	char common[65]; /* RFC 5280, ub-common-name; the host itself is in the extension */
	int r;

	if (!is_address(host) && !is_name(host))
		return -EINVAL;
	snprintf(common, sizeof(common), "%s", host);
	leaf = begin(common, ca->leaf_key, LEAF_DAYS);
	if (!leaf || X509_set_issuer_name(leaf, X509_get_subject_name(ca->certificate)) != 1)
		return -ENOMEM;
	r = add_host(leaf, ca->certificate, host);
	r = r < 0 ? r : add_extension(leaf, ca->certificate, NID_basic_constraints, "critical,CA:FALSE");
	r = r < 0 ? r : add_extension(leaf, ca->certificate, NID_key_usage, "critical,digitalSignature");
	r = r < 0 ? r : add_extension(leaf, ca->certificate, NID_ext_key_usage, "serverAuth");
	r = r < 0 ? r : add_extension(leaf, ca->certificate, NID_subject_key_identifier, "hash");
	r = r < 0 ? r : add_extension(leaf, ca->certificate, NID_authority_key_identifier, "keyid");
	if (r == 0 && X509_sign(leaf, ca->key, EVP_sha256()) == 0)
		r = -EIO;
	return r < 0 ? r : write_pem(into, ca->leaf_key, leaf);
}
