#include "proxy/leaf.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LEAVES_MAX = 256,
	WAITING_MAX = 10000,   /* while the vault does not answer */
	KEPT_S = 24 * 60 * 60, /* much less than they are valid */
};

struct kept {
	struct kept *next;
	struct host host;
	struct leaf leaf;        /* without a key while the vault is asked */
	struct leaf_wait *waits; /* only then */
	time_t since;
	struct leaves *leaves;
};

struct leaves {
	struct vault *vault;
	struct kept *first; /* what was used last */
	unsigned count;
};

int leaves_new(struct vault *vault, struct leaves **ret)
{
	struct leaves *leaves = calloc(1, sizeof(*leaves));

	if (!leaves)
		return -ENOMEM;
	leaves->vault = vault;
	*ret = leaves;
	return 0;
}

static void free_kept(struct kept *kept)
{
	X509_free(kept->leaf.certificate);
	EVP_PKEY_free(kept->leaf.key);
	free(kept);
}

static void take_out(struct leaves *leaves, const struct kept *kept)
{
	struct kept **link = &leaves->first;

	while (*link != kept)
		link = &(*link)->next;
	*link = kept->next;
	leaves->count--;
}

static void put_first(struct leaves *leaves, struct kept *kept)
{
	kept->next = leaves->first;
	leaves->first = kept;
	leaves->count++;
}

/* The last one that nobody waits for; NULL where there is none. */
static struct kept *find_oldest(const struct leaves *leaves)
{
	struct kept *oldest = NULL;

	for (struct kept *kept = leaves->first; kept; kept = kept->next)
		if (kept->leaf.key)
			oldest = kept;
	return oldest;
}

static bool make_room(struct leaves *leaves)
{
	while (leaves->count >= LEAVES_MAX) {
		struct kept *oldest = find_oldest(leaves);

		if (!oldest)
			return leaves->count < WAITING_MAX;
		take_out(leaves, oldest);
		free_kept(oldest);
	}
	return true;
}

static bool parse(struct slice pem, struct leaf *ret)
{
	BIO *text = BIO_new_mem_buf(pem.ptr, (int)pem.len);

	if (!text)
		return false;
	ret->key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
	ret->certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
	BIO_free(text);
	ERR_clear_error();
	return ret->key && ret->certificate;
}

static void tell(struct kept *kept, const struct leaf *leaf)
{
	while (kept->waits) {
		struct leaf_wait *wait = kept->waits;

		leaf_cancel(wait);
		wait->done(wait, leaf);
	}
}

static void on_minted(void *owner, int result, struct slice content)
{
	struct kept *kept = owner;
	struct leaves *leaves = kept->leaves;
	struct leaf leaf = {0};

	if (result == 0 && parse(content, &leaf)) {
		kept->leaf = leaf;
		kept->since = time(NULL);
		take_out(leaves, kept);
		put_first(leaves, kept);
		tell(kept, &kept->leaf);
		return;
	}
	X509_free(leaf.certificate);
	EVP_PKEY_free(leaf.key);
	take_out(leaves, kept);
	tell(kept, NULL);
	free_kept(kept);
}

static struct kept *find(struct leaves *leaves, const struct host *host)
{
	struct kept *kept = leaves->first;

	while (kept && strcmp(kept->host.text, host->text) != 0)
		kept = kept->next;
	if (kept && kept->leaf.key && time(NULL) - kept->since > KEPT_S) {
		take_out(leaves, kept);
		free_kept(kept);
		return NULL;
	}
	return kept;
}

static struct kept *begin(struct leaves *leaves, const struct host *host)
{
	struct kept *kept = make_room(leaves) ? calloc(1, sizeof(*kept)) : NULL;
	struct vault_ask *ask;

	if (!kept)
		return NULL;
	*kept = (struct kept){.host = *host, .leaves = leaves};
	if (vault_ask(leaves->vault, CHAN_VAULT_MINT, slice_text(host->text), on_minted, kept, &ask) < 0) {
		free(kept);
		return NULL;
	}
	put_first(leaves, kept);
	return kept;
}

void leaf_get(struct leaves *leaves, const struct host *host, struct leaf_wait *wait)
{
	struct kept *kept = find(leaves, host);

	wait->link = NULL;
	if (kept && kept != leaves->first) {
		take_out(leaves, kept);
		put_first(leaves, kept);
	}
	kept = kept ? kept : begin(leaves, host);
	if (!kept || kept->leaf.key) {
		wait->done(wait, kept ? &kept->leaf : NULL);
		return;
	}
	wait->next = kept->waits;
	wait->link = &kept->waits;
	if (wait->next)
		wait->next->link = &wait->next;
	kept->waits = wait;
}

void leaf_cancel(struct leaf_wait *wait)
{
	if (!wait->link)
		return;
	*wait->link = wait->next;
	if (wait->next)
		wait->next->link = wait->link;
	wait->link = NULL;
}
