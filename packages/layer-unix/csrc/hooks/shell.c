/*
 * system and popen, which run a shell with the program's own environment. If that was cleaned, the command is wrapped
 * so that the shell itself starts with the layer: changing `environ` would be seen by other threads.
 */
#include "hook.h"
#include "image.h"

extern char **environ;

static char *put(char *at, const char *text)
{
	size_t length = strlen(text);
	memcpy(at, text, length);
	return at + length;
}

/* As one word of a shell, whatever is in it. */
static char *put_quoted(char *at, const char *text)
{
	*at++ = '\'';
	for (; *text; text++) {
		if (*text == '\'')
			at = put(at, "'\\'");
		*at++ = *text;
	}
	*at++ = '\'';
	return at;
}

struct wrapped {
	char *command;
	size_t size;
};

/* LD_PRELOAD='...' MIRRORD_LAYER='...' exec /bin/sh -c '...', in a mapping; command NULL where it isn't needed. */
static struct wrapped wrap(const char *command)
{
	size_t size = command ? image_size(environ) : 0;
	if (!size)
		return (struct wrapped){NULL, 0};
	size_t whole = size + 4 * (size + strlen(command) + strlen(layer.variable)) + 128;
	char *memory = image_map(whole);
	if (!memory)
		return (struct wrapped){NULL, 0};
	char **with = image_environment(memory, environ), *start = memory + size, *at = start;
	for (; *with; with++) {
		const char *value = strchr(*with, '=');
		if (strncmp(*with, "LD_PRELOAD=", 11) != 0 && strncmp(*with, "MIRRORD_LAYER=", 14) != 0)
			continue;
		memcpy(at, *with, (size_t)(value + 1 - *with));
		at = put_quoted(at + (value + 1 - *with), value + 1);
		*at++ = ' ';
	}
	at = put(at, "exec /bin/sh -c ");
	*put_quoted(at, command) = 0;
	memmove(memory, start, strlen(start) + 1);
	return (struct wrapped){memory, whole};
}

int hook_system(const char *command)
{
	struct wrapped wrapped = wrap(command);
	int result = libc.system(wrapped.command ? wrapped.command : command);
	if (wrapped.command)
		image_unmap(wrapped.command, wrapped.size);
	return result;
}

FILE *hook_popen(const char *command, const char *type)
{
	struct wrapped wrapped = wrap(command);
	FILE *result = libc.popen(wrapped.command ? wrapped.command : command, type);
	if (wrapped.command)
		image_unmap(wrapped.command, wrapped.size);
	return result;
}
