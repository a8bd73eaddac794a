#include "supervisor/vault.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "wire/secret.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

enum { NAME_BYTES = 65 /* RFC 5280, ub-common-name */ };

/* Numbers of what was asked. */
enum { ASK_AUTHORITY = 1, ASK_CERTIFICATE, ASK_FEEDS };

static void wipe(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->room);
	buf_done(buf);
}
#define auto_secret __attribute__((cleanup(wipe)))

static void give_up(struct vault *vault, const char *what, int error)
{
	log_line("the vault %s: %s; connections that have to be looked into are refused", what,
		 strerror(error));
	vault->has_failed = true;
	vault->ops->on_certificate(vault->owner);
}

/* Hands it a memory file with that content, which it may fill. */
static int ask(struct vault *vault, enum chan_kind kind, uint32_t id, struct slice content)
{
	char name[NAME_BYTES];
	int r;

	if (vault->file >= 0)
		close(steal_fd(&vault->file));
	vault->file = memfd_create("sbx-vault", MFD_CLOEXEC);
	r = vault->file < 0 ? -errno : fd_write_all(vault->file, content);
	snprintf(name, sizeof(name), "sbx %.60s", vault->place->name);
	return r < 0 ? r : role_tell(&vault->role, kind, id, 0, slice_text(name), vault->file);
}

static int read_back(const struct vault *vault, struct buf *ret)
{
	/* At once, so that no copy of it is left behind by one that grows. */
	if (!buf_space(ret, SANDBOX_AUTHORITY_MAX_BYTES))
		return -ENOMEM;
	return lseek(vault->file, 0, SEEK_SET) < 0
		       ? -errno
		       : fd_read_all(vault->file, SANDBOX_AUTHORITY_MAX_BYTES, ret);
}

static void keep_authority(const struct vault *vault)
{
	auto_secret struct buf text = {0};
	struct err err;
	int r = read_back(vault, &text);

	if (r == 0)
		r = file_write_atomic(vault->place->dir, SANDBOX_AUTHORITY, 0600, buf_slice(&text), &err);
	if (r < 0)
		log_line("the sandbox's authority cannot be kept, its next start makes another one: %s",
			 strerror(-r));
}

static void take_authority(struct vault *vault, int error)
{
	/* Only its own programs knew it, and they are told of the new one. */
	if (error == EBADMSG && !vault->is_new) {
		log_line("'%s' is damaged: another authority is made", SANDBOX_AUTHORITY);
		vault->is_new = true;
		error = -ask(vault, CHAN_VAULT_CA, ASK_AUTHORITY, slice_text(""));
		if (error == 0)
			return;
	}
	if (error == 0 && vault->is_new)
		keep_authority(vault);
	if (error == 0)
		error = -ask(vault, CHAN_VAULT_CERTIFICATE, ASK_CERTIFICATE, slice_text(""));
	if (error != 0)
		give_up(vault, "has no authority", error);
}

static void take_certificate(struct vault *vault, int error)
{
	buf_clear(&vault->certificate);
	if (error == 0)
		error = -read_back(vault, &vault->certificate);
	close(steal_fd(&vault->file));
	if (error != 0)
		give_up(vault, "gives no certificate", error);
	else
		vault->has_failed = false;
	if (error == 0)
		vault->ops->on_certificate(vault->owner);
}

/* Read here only to be told on, and believed as little as anybody's. */
static int check_bindings(struct slice text)
{
	struct secret_reader reader = {.text = text};
	struct secret_binding binding;
	struct err err;
	int r;

	while ((r = secret_next(&reader, &binding, &err)) > 0)
		if (binding.state != SECRET_BARE || binding.placeholder.len == 0)
			return -EBADMSG;
	return r;
}

static bool has_service(struct slice text, struct slice service, size_t *ret_count)
{
	struct secret_reader reader = {.text = text};
	struct secret_binding binding;
	bool has = false;

	for (*ret_count = 0; secret_next(&reader, &binding, NULL) > 0; (*ret_count)++)
		has = has || (binding.service.len == service.len &&
			      memcmp(binding.service.ptr, service.ptr, service.len) == 0);
	return has;
}

/* Appends what is lost and not in the text: its hosts get no request without it, and nobody else its
 * placeholder. */
static int add_lost(struct vault *vault, struct buf *text)
{
	struct secret_reader reader = {.text = buf_slice(&vault->lost)};
	size_t count, end = text->len;
	auto_buf struct buf lost = {0};
	struct secret_binding binding;
	int r = 0;

	while (r == 0 && secret_next(&reader, &binding, NULL) > 0)
		if (!has_service(buf_slice(text), binding.service, &count) && count < SECRET_BINDINGS_MAX)
			r = secret_write(text, &binding, false);
	r = r < 0 ? r : buf_append(&lost, slice_skip(buf_slice(text), end));
	if (r < 0)
		return r;
	buf_done(&vault->lost);
	vault->lost = lost;
	buf_init(&lost);
	return 0;
}

/* Takes the file. */
static int take_bindings(struct vault *vault, int fd)
{
	auto_buf struct buf text = {0};
	autofd int file = fd;
	int r = file < 0 || lseek(file, 0, SEEK_SET) < 0 ? -EBADMSG
							 : fd_read_all(file, SECRET_TEXT_MAX_BYTES, &text);

	r = r < 0 ? r : check_bindings(buf_slice(&text));
	r = r < 0 ? r : add_lost(vault, &text);
	if (r < 0)
		return r;
	buf_done(&vault->bindings);
	vault->bindings = text;
	buf_init(&text);
	vault->ops->on_secrets(vault->owner);
	return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the role's prototype */
static int on_message(void *owner, const struct chan_message *message, int *fd)
{
	struct vault *vault = owner;
	int error = message->code <= INT16_MAX ? (int)message->code : EPROTO;

	if (message->kind == CHAN_VAULT_SECRETS)
		return take_bindings(vault, steal_fd(fd));
	if (message->kind != CHAN_VAULT_DONE)
		return -EBADMSG;
	if (message->id >= ASK_FEEDS) {
		vault->ops->on_fed(vault->owner, message->id - ASK_FEEDS,
				   error == 0              ? NULL
				   : message->body_len > 0 ? message->body
							   : strerror(error));
		return 0;
	}
	if (message->id != 0 && vault->file < 0)
		return -EBADMSG;
	if (message->id == ASK_AUTHORITY)
		take_authority(vault, error);
	else if (message->id == ASK_CERTIFICATE)
		take_certificate(vault, error);
	return 0;
}

static void on_gone(void *owner)
{
	struct vault *vault = owner;

	vault->is_bare |= vault->is_fed;
	vault->is_fed = false;
	buf_clear(&vault->lost);
	if (buf_append(&vault->lost, buf_slice(&vault->bindings)) < 0)
		buf_clear(&vault->bindings);
	vault->ops->on_secrets(vault->owner);
	vault->ops->on_gone(vault->owner);
}

void vault_init(struct vault *vault, uv_loop_t *loop, const struct place *place, const struct vault_ops *ops,
		void *owner)
{
	*vault = (struct vault){.loop = loop, .place = place, .ops = ops, .owner = owner, .file = -1};
	vault->role.on_message = on_message;
	vault->role.on_gone = on_gone;
	vault->role.owner = vault;
}

void vault_on_role(struct vault *vault, pid_t pid, int *channel)
{
	auto_secret struct buf text = {0};
	int r = role_attach(&vault->role, vault->loop, steal_fd(channel), pid);

	if (vault->is_bare)
		log_line("the vault was started again: the next 'sbx run' or 'sbx exec' gives it the secrets "
			 "anew");
	if (r == 0 && !buf_space(&text, SANDBOX_AUTHORITY_MAX_BYTES))
		r = -ENOMEM;
	if (r == 0)
		r = file_read(vault->place->dir, SANDBOX_AUTHORITY, SANDBOX_AUTHORITY_MAX_BYTES, &text);
	vault->is_new = r == -ENOENT;
	if (r == 0 || vault->is_new)
		r = ask(vault, CHAN_VAULT_CA, ASK_AUTHORITY, buf_slice(&text));
	if (r < 0)
		give_up(vault, "cannot be told the sandbox's authority", -r);
}

int vault_feed(struct vault *vault, uint32_t id, int pipe)
{
	int r = role_tell(&vault->role, CHAN_VAULT_FEED, ASK_FEEDS + id, 0, slice_text(""), pipe);

	vault->is_fed |= r == 0;
	return r;
}

void vault_forget_lost(struct vault *vault)
{
	if (!vault->is_bare)
		return;
	buf_cut(&vault->bindings, vault->bindings.len - vault->lost.len);
	buf_clear(&vault->lost);
	vault->is_bare = false;
	vault->ops->on_secrets(vault->owner);
}
