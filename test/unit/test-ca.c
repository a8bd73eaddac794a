#include "vault/ca.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "unit.h"

static X509 *read_certificate(const struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(buf_text(pem), (int)pem->len);
	X509 *certificate;

	/* A key may stand in front of it. */
	EVP_PKEY_free(PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL));
	certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (!certificate) {
		(void)BIO_reset(bio);
		certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	}
	BIO_free(bio);
	assert_non_null(certificate);
	return certificate;
}

static X509 *mint(const struct ca *ca, const char *host)
{
	auto_buf struct buf pem = {0};

	assert_int_equal(ca_mint(ca, host, &pem), 0);
	return read_certificate(&pem);
}

/* As a client inside does: the chain, the purpose, the name, the time. */
static int verify(const struct ca *ca, X509 *leaf, const char *host)
{
	auto_buf struct buf pem = {0};
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509 *root;
	int r;

	assert_int_equal(ca_certificate(ca, &pem), 0);
	root = read_certificate(&pem);
	assert_int_equal(X509_STORE_add_cert(store, root), 1);
	assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
	X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
	if (strchr(host, ':') || strspn(host, "0123456789.") == strlen(host))
		X509_VERIFY_PARAM_set1_ip_asc(X509_STORE_CTX_get0_param(context), host);
	else
		X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(context), host, 0);
	r = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	X509_free(root);
	return r;
}

static int set_up(void **state)
{
	return ca_new("sbx sandbox x", (struct ca **)state);
}

static int tear_down(void **state)
{
	ca_free(*state);
	return 0;
}

static void test_is_trusted(void **state)
{
	static const char *const hosts[] = {
		"example.com",
		"a-b.c_d.example",
		"xn--bcher-kva.example",
		"127.0.0.1",
		"2001:db8::1",
		"a-name-that-is-longer-than-the-sixty-four-bytes-of-a-common-name.example.com"};

	for (size_t i = 0; i < array_len(hosts); i++) {
		X509 *leaf = mint(*state, hosts[i]);

		assert_int_equal(verify(*state, leaf, hosts[i]), X509_V_OK);
		X509_free(leaf);
	}
}

static void test_for_one_host_only(void **state)
{
	X509 *leaf = mint(*state, "example.com");

	assert_int_equal(verify(*state, leaf, "example.org"), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(verify(*state, leaf, "a.example.com"), X509_V_ERR_HOSTNAME_MISMATCH);
	X509_free(leaf);
}

static void test_by_one_authority_only(void **state)
{
	struct ca *other;
	X509 *leaf = mint(*state, "example.com");

	assert_int_equal(ca_new("sbx sandbox x", &other), 0);
	assert_int_not_equal(verify(other, leaf, "example.com"), X509_V_OK);
	ca_free(other);
	X509_free(leaf);
}

static void test_no_authority_of_its_own(void **state)
{
	X509 *leaf = mint(*state, "example.com");

	assert_int_equal(X509_check_ca(leaf), 0);
	X509_free(leaf);
}

static void test_not_twice_the_same(void **state)
{
	X509 *one = mint(*state, "example.com"), *two = mint(*state, "example.com");

	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(one), X509_get0_serialNumber(two)), 0);
	X509_free(one);
	X509_free(two);
}

static void test_names_that_are_none(void **state)
{
	static const char *const hosts[] = {"",    "a,DNS:b",         "a b", "a\nb", "*.example.com",
					    "a/b", "\xc3\xbc.example"};
	char longest[300] = "";
	auto_buf struct buf pem = {0};

	memset(longest, 'a', 254);
	for (size_t i = 0; i < array_len(hosts); i++)
		assert_int_equal(ca_mint(*state, hosts[i], &pem), -EINVAL);
	assert_int_equal(ca_mint(*state, longest, &pem), -EINVAL);
	assert_int_equal(pem.len, 0);
}

static void test_goes_on(void **state)
{
	auto_buf struct buf saved = {0};
	struct ca *again;
	X509 *leaf;

	assert_int_equal(ca_save(*state, &saved), 0);
	assert_int_equal(ca_load(buf_slice(&saved), &again), 0);
	leaf = mint(again, "example.com");
	assert_int_equal(verify(*state, leaf, "example.com"), X509_V_OK);
	X509_free(leaf);
	ca_free(again);
}

static void test_damaged(void **state)
{
	auto_buf struct buf saved = {0}, leaf = {0};
	struct ca *again;

	assert_int_equal(ca_load(slice_text(""), &again), -EBADMSG);
	assert_int_equal(ca_load(slice_text("-----BEGIN"), &again), -EBADMSG);
	assert_int_equal(ca_save(*state, &saved), 0);
	assert_int_equal(ca_load(slice_of(buf_text(&saved), saved.len / 2), &again), -EBADMSG);
	/* A key with a certificate that is no authority's. */
	assert_int_equal(ca_mint(*state, "example.com", &leaf), 0);
	assert_int_equal(ca_load(buf_slice(&leaf), &again), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_trusted),
		cmocka_unit_test(test_for_one_host_only),
		cmocka_unit_test(test_by_one_authority_only),
		cmocka_unit_test(test_no_authority_of_its_own),
		cmocka_unit_test(test_not_twice_the_same),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
