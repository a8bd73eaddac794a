#include "store/store.h"

#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_TRIED = 1 };

void store_init(struct store *store, const struct paths *paths)
{
	*store = (struct store){.paths = paths,
				.locker = LOCKER_NONE,
				.keychain_state = NOT_TRIED,
				.locker_state = NOT_TRIED};
}

void store_done(struct store *store)
{
	keychain_close(&store->keychain);
	locker_close(&store->locker);
}

/* Once: what hangs is not asked for every secret again. */
static int use_keychain(struct store *store, struct err *err)
{
	if (store->keychain_state == NOT_TRIED)
		store->keychain_state = keychain_open(store->paths, &store->keychain, &store->keychain_err);
	return store->keychain_state < 0 ? err_set(err, store->keychain_state, "%s", store->keychain_err.text)
					 : 0;
}

static int use_locker(struct store *store, struct err *err)
{
	if (store->locker_state == NOT_TRIED)
		store->locker_state = locker_open(store->paths, /* for_writing= */ false, &store->locker,
						  &store->locker_err);
	return store->locker_state < 0 ? err_set(err, store->locker_state, "%s", store->locker_err.text) : 0;
}

static int get_from_locker(struct store *store, const char *name, struct value *ret, struct err *err)
{
	struct slice found;
	int r = use_locker(store, err);

	if (r < 0)
		return r;
	if (!locker_get(&store->locker, name, &found))
		return err_set(err, -ENOENT, "it is not in the file of secrets any more: set it again");
	return value_set(ret, found);
}

int store_get(struct store *store, enum index_source source, const char *name, struct value *ret,
	      struct err *err)
{
	int r;

	if (source == INDEX_FILE)
		return get_from_locker(store, name, ret, err);
	r = use_keychain(store, err);
	return r < 0 ? r : keychain_get(&store->keychain, name, ret, err);
}

/* ---- which one ---- */

static bool is_wanted(const char *name)
{
	const char *text = getenv("SBX_STORE");

	return text && strcmp(text, name) == 0;
}

static int check_wish(struct err *err)
{
	const char *text = getenv("SBX_STORE");

	if (!text || *text == '\0' || is_wanted("file") || is_wanted("keychain"))
		return 0;
	return err_set(err, -EINVAL, "SBX_STORE is 'keychain' or 'file', not '%s'", text);
}

/* A keychain that is there and does not work is not passed over: the person believes in it. */
static int choose(struct store *store, enum index_source *ret, struct err *err)
{
	struct err why = {.text = ""};
	int r = check_wish(err);

	if (r < 0)
		return r;
	*ret = INDEX_FILE;
	if (is_wanted("file"))
		return 0;
	r = use_keychain(store, &why);
	r = r < 0 ? r : keychain_check(&store->keychain, &why);
	store->keychain_err = why;
	if (r == -ENOENT && !is_wanted("keychain"))
		return 0;
	*ret = INDEX_KEYCHAIN;
	/* Locked: whoever keeps something there is asked to unlock it. */
	return r < 0 && r != -EACCES ? err_set(err, r, "%s", why.text) : 0;
}

static int write_locker(struct store *store, const char *name, struct slice value, struct err *err)
{
	auto_locker struct locker locker = LOCKER_NONE;
	int r = locker_open(store->paths, /* for_writing= */ true, &locker, err);

	store->is_until_restart = locker.key.kind == LOCKER_KERNEL;
	return r < 0 ? r : locker_set(&locker, name, value, err);
}

int store_put(struct store *store, const char *name, const struct value *value, enum index_source *ret,
	      struct err *err)
{
	int r = choose(store, ret, err);

	if (r < 0)
		return r;
	return *ret == INDEX_KEYCHAIN ? keychain_set(&store->keychain, name, value, err)
				      : write_locker(store, name, value_slice(value), err);
}

int store_drop(struct store *store, enum index_source source, const char *name, struct err *err)
{
	int r;

	if (source == INDEX_FILE)
		return locker_exists(store->paths) ? write_locker(store, name, slice_text(""), err) : 0;
	r = use_keychain(store, err);
	return r < 0 ? r : keychain_drop(&store->keychain, name, err);
}

int store_describe(struct store *store, struct buf *into, struct err *err)
{
	enum index_source source;
	int r = choose(store, &source, err);

	if (r == 0 && source == INDEX_KEYCHAIN) {
		r = keychain_check(&store->keychain, err);
		return r < 0 ? r : buf_append(into, slice_text("the keychain (Secret Service)"));
	}
	if (r < 0)
		return r;
	r = buf_printf(into, "the encrypted file %s/secrets", store->paths->data);
	if (r == 0 && !is_wanted("file"))
		r = buf_printf(into, ", because there is no keychain: %s", store->keychain_err.text);
	if (r == 0 && locker_exists(store->paths))
		r = use_locker(store, err);
	return r;
}
