#include "cli/probe.h"

#include "base/log.h"

int probe_and_say(const struct paths *paths, struct engine_probe *ret, struct err *err)
{
	int r = engine_probe(paths, ret, err);

	/* The probe runs when its answer is not remembered, which is once for each boot. */
	if (r == 0 && ret->is_fresh && ret->verdict != ENGINE_KVM_GOOD)
		log_line("%s; sandboxes run in software emulation, which is slower", ret->text);
	return r;
}
