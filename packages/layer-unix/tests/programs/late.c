/*
 * A call whose function comes with a library that is loaded later. Three programs in one: with RESOLVER the library that
 * has the function, with PLUGIN a library that calls it, else what loads both: `late RESOLVER PLUGIN`.
 */
#include "check.h"

#include <dlfcn.h>

int res_nquery(void *state, const char *name, int class, int type, unsigned char *answer, int size);

#if defined(RESOLVER)

int res_nquery(void *state, const char *name, int class, int type, unsigned char *answer, int size)
{
	return state == NULL && strcmp(name, "web") == 0 && class == 1 && type == 2 && answer == NULL ? size : -2;
}

#elif defined(PLUGIN)

int plugin(void);

int plugin(void)
{
	return res_nquery(NULL, "web", 1, 2, NULL, 4242);
}

#else

static void call(const char *when, int (*plugin)(void))
{
	errno = 77;
	int result = plugin();
	printf("%s: %d %d\n", when, result, errno);
}

int main(int argc, char **argv)
{
	int (*plugin)(void);
	CHECK(argc == 3);
	void *library = dlopen(argv[2], RTLD_LAZY | RTLD_GLOBAL), *found;
	CHECK(library && (found = dlsym(library, "plugin")));
	memcpy(&plugin, &found, sizeof plugin);
	call("before", plugin);
	CHECK(dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL));
	call("after", plugin);
	return 0;
}

#endif
