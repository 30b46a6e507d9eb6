/*
 * Our symbol lookup finds what dlsym(RTLD_NEXT) finds, for every function of the hooks table and some more; and what
 * libc keeps for old programs alone, which dlsym doesn't find without a version.
 */
#include "check.h"

#include "hook.h"
#include "symbols.h"

#include <dlfcn.h>

#define HOOK(family, type, name, parameters, arguments, failure) #name,
#define VHOOK(family, type, name, declared, parameters, arguments, failure) #name,
#define THOOK(family, type, name, twin, parameters, arguments, failure) #name,
#define VTHOOK(family, type, name, twin, declared, parameters, arguments, failure) #name,
#define XHOOK(family, type, name, declared) #name,
static const char *const names[] = {
#include "hooks.def"
	"realpath", "memcpy", "gettimeofday", "time", "fopen", "nftw", "glob", "posix_spawn", "no_such_function",
};

static void *find(const char *name)
{
	static const char *const old[] = {"GLIBC_2.2.5", "GLIBC_2.3", "GLIBC_2.4", "GLIBC_2.17"};
	void *found = dlsym(RTLD_NEXT, name);
	for (size_t i = 0; !found && i < sizeof old / sizeof *old; i++)
		found = dlvsym(RTLD_NEXT, name, old[i]);
	return found;
}

int main(void)
{
	struct object objects[OBJECTS];
	size_t count = symbols_objects_behind(names, objects, OBJECTS);
	CHECK(count > 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		void *ours = symbols_find(objects, count, names[i]), *theirs = find(names[i]);
		if (ours != theirs)
			fprintf(stderr, "%s: %p, dlsym says %p\n", names[i], ours, theirs);
		CHECK(ours == theirs);
	}
	return 0;
}
