#include "base/paths.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

static int join(char *ret, struct err *err, const char *first, const char *second)
{
	int len = snprintf(ret, PATH_ROOM_BYTES, "%s%s", first, second);

	if (len >= PATH_ROOM_BYTES)
		return err_set(err, -ENAMETOOLONG, "the path '%.40s…' is too long", first);
	return 0;
}

static int find_home(const char **ret, struct err *err)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (!home || home[0] != '/') {
		user = getpwuid(getuid());
		home = user ? user->pw_dir : NULL;
	}
	if (!home || home[0] != '/')
		return err_set(err, -ENOENT, "no home folder: set HOME or SBX_HOME to an absolute path");
	*ret = home;
	return 0;
}

static int from_xdg(const char *variable, const char *home, const char *fallback, char *ret, struct err *err)
{
	const char *value = getenv(variable);
	char below[PATH_ROOM_BYTES];
	int r;

	if (value && value[0] == '/')
		return join(ret, err, value, "/sbx");
	r = join(below, err, fallback, "/sbx");
	return r < 0 ? r : join(ret, err, home, below);
}

static int name_all(struct paths *ret, struct err *err)
{
	const char *own = getenv("SBX_HOME");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *home;
	int r;

	if (own && own[0] != '\0') {
		if (own[0] != '/')
			return err_set(err, -EINVAL, "SBX_HOME must be an absolute path, not '%s'", own);
		r = join(ret->config, err, own, "/config");
		r = r < 0 ? r : join(ret->data, err, own, "/data");
		r = r < 0 ? r : join(ret->cache, err, own, "/cache");
		return r < 0 ? r : join(ret->run, err, own, "/run");
	}
	r = find_home(&home, err);
	r = r < 0 ? r : from_xdg("XDG_CONFIG_HOME", home, "/.config", ret->config, err);
	r = r < 0 ? r : from_xdg("XDG_DATA_HOME", home, "/.local/share", ret->data, err);
	r = r < 0 ? r : from_xdg("XDG_CACHE_HOME", home, "/.cache", ret->cache, err);
	if (r < 0)
		return r;
	if (runtime && runtime[0] == '/')
		return join(ret->run, err, runtime, "/sbx");
	snprintf(ret->run, sizeof(ret->run), "/tmp/sbx-%u", getuid());
	return 0;
}

/* Somebody else's folder in a shared place such as /tmp must not be taken for ours. */
static int make_private(const char *path, struct err *err)
{
	struct stat info;
	int r = file_make_dirs(path, err);

	if (r < 0)
		return r;
	if (lstat(path, &info) < 0)
		return err_errno(err, -errno, "cannot look at '%s'", path);
	if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid())
		return err_set(err, -EPERM, "'%s' does not belong to you: remove it or set SBX_HOME", path);
	if ((info.st_mode & 077) && chmod(path, 0700) < 0)
		return err_errno(err, -errno, "cannot make '%s' private", path);
	return 0;
}

int paths_open(struct paths *ret, struct err *err)
{
	int r = name_all(ret, err);

	r = r < 0 ? r : make_private(ret->config, err);
	r = r < 0 ? r : make_private(ret->data, err);
	r = r < 0 ? r : make_private(ret->cache, err);
	return r < 0 ? r : make_private(ret->run, err);
}

int paths_program(const char *name, char ret[PATH_ROOM_BYTES], struct err *err)
{
	static const char *const places[] = {"", "/../libexec/sbx", "/../share/sbx", "/../../share/sbx"};
	char self[PATH_ROOM_BYTES];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return err_errno(err, -errno, "cannot find this program's own folder");
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < array_len(places); i++) {
		if (snprintf(ret, PATH_ROOM_BYTES, "%s%s/%s", self, places[i], name) >= PATH_ROOM_BYTES)
			continue;
		if (access(ret, F_OK) == 0)
			return 0;
	}
	return err_set(err, -ENOENT, "'%s' is missing beside '%s': build or install sbx again", name, self);
}
