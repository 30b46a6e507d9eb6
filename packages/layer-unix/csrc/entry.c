/*
 * The exported symbols, made from hooks.def. Each one, in full: while the layer is active call `hook_NAME`, else libc's
 * function. The other expansions are here too: the struct of libc's functions and what fills it, on the first call or
 * by the constructor, whichever comes first.
 */
#include "files.h"
#include "hook.h"
#include "image.h"
#include "symbols.h"

struct libc libc;

/* Zero until the loader has relocated this library: an IFUNC resolver of another one may call us before that. */
static const volatile void *const volatile relocated = &relocated;

#define HOOK(family, type, name, parameters, arguments, failure) #name "\0"
#define VHOOK(family, type, name, declared, parameters, arguments, failure) #name "\0"
#define THOOK(family, type, name, twin, parameters, arguments, failure)
#define VTHOOK(family, type, name, twin, declared, parameters, arguments, failure)
#define XHOOK(family, type, name, declared) #name "\0"
static const char names[] =
#include "hooks.def"
	;
#undef HOOK
#undef VHOOK
#undef XHOOK

/* What stands in for a function that this libc lacks. */
#define HOOK(family, type, name, parameters, arguments, failure) \
	static type missing_##name parameters                    \
	{                                                        \
		fail(ENOSYS);                                    \
		return failure;                                  \
	}
#define VHOOK(family, type, name, declared, parameters, arguments, failure) \
	static type missing_##name declared                                 \
	{                                                                   \
		fail(ENOSYS);                                               \
		return failure;                                             \
	}
#define XHOOK(family, type, name, declared) \
	static type missing_##name declared \
	{                                   \
		fail(ENOSYS);               \
		return -1;                  \
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "hooks.def"
#pragma GCC diagnostic pop
#undef HOOK
#undef VHOOK
#undef XHOOK

#define HOOK(family, type, name, parameters, arguments, failure) .name = missing_##name,
#define VHOOK(family, type, name, declared, parameters, arguments, failure) .name = missing_##name,
#define XHOOK(family, type, name, declared) .name = missing_##name,
static const struct libc missing = {
#include "hooks.def"
};
#undef HOOK
#undef VHOOK
#undef XHOOK

static bool bound;

/* The objects behind ours: in `few`, or in a mapping if there are many, since libc may be behind them all. */
static size_t find_objects(struct object few[OBJECTS], struct object **objects)
{
	size_t count = symbols_objects_behind(names, few, OBJECTS);
	*objects = few;
	if (count > OBJECTS) {
		*objects = image_map(count * sizeof **objects);
		if (!*objects)
			refuse("there is no memory for the layer");
		symbols_objects_behind(names, *objects, count);
	}
	return count;
}

static void drop_objects(struct object few[OBJECTS], struct object *objects, size_t count)
{
	if (objects != few)
		image_unmap(objects, count * sizeof *objects);
}

static void bind_all(void)
{
	struct object few[OBJECTS], *objects;
	size_t count = find_objects(few, &objects);
	void **slot = (void **)&libc;
	void *const *stub = (void *const *)&missing;
	for (const char *name = names; *name; name += strlen(name) + 1, slot++, stub++) {
		void *found = symbols_find(objects, count, name);
		*slot = found ? found : *stub;
	}
	drop_objects(few, objects, count);
	__atomic_store_n(&bound, true, __ATOMIC_RELEASE);
}

void *find_function(const char *name)
{
	struct object few[OBJECTS], *objects;
	size_t count = find_objects(few, &objects);
	void *found = symbols_find(objects, count, name);
	drop_objects(few, objects, count);
	return found;
}

void bind_late(void *function, const char *name)
{
	void **slot = function, *stub = ((void *const *)&missing)[slot - (void **)&libc];
	if (__builtin_expect(__atomic_load_n(slot, __ATOMIC_RELAXED) != stub, 1))
		return;
	void *found = find_function(name);
	if (found)
		__atomic_store_n(slot, found, __ATOMIC_RELAXED);
}

bool layer_ready(void)
{
	if (layer.active)
		return true;
	if (!__atomic_load_n(&bound, __ATOMIC_ACQUIRE)) {
		int error = errno;
		bind_all();
		errno = error;
	}
	layer_start();
	return layer.active;
}

__attribute__((constructor)) static void construct(void)
{
	if (layer_ready())
		settle_standard_input();
}

/*
 * Before relocation there is neither libc nor a layer, only the kernel: the calls that such an early caller makes (to
 * read a file below /proc or /sys) go there; others fail. Nothing here may need a relocation, errno included.
 */
static const struct {
	char name[12];
	int number;
} early_calls[] = {
	{"openat", SYS_openat}, {"openat64", SYS_openat}, {"read", SYS_read},       {"pread", SYS_pread64},
	{"close", SYS_close},   {"lseek", SYS_lseek},     {"pread64", SYS_pread64}, {"write", SYS_write},
#ifdef SYS_open
	{"open", SYS_open},     {"open64", SYS_open},     {"access", SYS_access},   {"readlink", SYS_readlink},
#endif
};
static int early_number;

static long early_call(long a, long b, long c, long d)
{
	long result = sys_call4(early_number, a, b, c, d);
	return sys_failed(result) ? -1 : result;
}

typedef void (*anything)(void);

/* What to call in place of libc's function of this name, with its arguments, or NULL. */
__attribute__((noinline)) static anything early(const char *name)
{
	for (size_t i = 0; i < sizeof early_calls / sizeof *early_calls; i++) {
		const char *a = early_calls[i].name, *b = name;
		while (*a && *a == *b)
			a++, b++;
		if (*a == *b) {
			early_number = early_calls[i].number;
			return (anything)early_call;
		}
	}
	return NULL;
}

/* 1: call the hook. 0: call libc's function. -1: too early for either. */
static int route(void)
{
	if (__builtin_expect(layer.active, 1))
		return 1;
	if (__builtin_expect(!layer.started, 0)) {
		if (!relocated)
			return -1;
		return layer_ready();
	}
	return 0;
}

#undef THOOK
#undef VTHOOK

#define EXPORTED(name) __asm__(#name) __attribute__((visibility("default")))
#define ENTER(type, name, twin, parameters, arguments, failure)    \
	int entry_route = route();                                 \
	if (entry_route > 0)                                       \
		return hook_##twin arguments;                      \
	if (entry_route == 0)                                      \
		return libc.twin arguments;                        \
	anything entry_early = early(#name);                       \
	if (entry_early)                                           \
		return ((type(*) parameters)entry_early)arguments; \
	return failure;

/*
 * An optional argument is an ordinary parameter here, read whether or not it was given: on the machines that sys.h knows
 * both kinds are passed in the same registers. `va_arg` would spill six of them first, on the way of every open.
 */
#define HOOK(family, type, name, parameters, arguments, failure) \
	THOOK(family, type, name, name, parameters, arguments, failure)
#define THOOK(family, type, name, twin, parameters, arguments, failure) \
	type entry_##name parameters EXPORTED(name);                    \
	type entry_##name parameters                                    \
	{                                                               \
		ENTER(type, name, twin, parameters, arguments, failure) \
	}
#define VHOOK(family, type, name, declared, parameters, arguments, failure) \
	THOOK(family, type, name, name, parameters, arguments, failure)
#define VTHOOK(family, type, name, twin, declared, parameters, arguments, failure) \
	THOOK(family, type, name, twin, parameters, arguments, failure)
#define XHOOK(family, type, name, declared)
#include "hooks.def"
