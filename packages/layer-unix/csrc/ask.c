/*
 * Where a path belongs: first by the shared table, then by a question to the session, which carries the call out in
 * the same breath. Relative paths are the kernel's unless their base directory is a stand-in.
 */
#include "layer.h"
#include "sys.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Fills in what a relative path is relative to. Whether there is a question at all. */
static bool concerns_session(const struct table *table, unsigned intent, int directory, const char *path, size_t length,
                             struct layer_request *request)
{
	if (path[0] == '/')
		return !table || (table_lookup(table, layer.shared_size, path, length) & intent) != intent;
	struct identity base = identity_of_directory(directory);
	if (base.form == WIRE_LAYER_FORM_DIRECTORY) {
		request->device = base.device;
		request->inode = base.inode;
		return true;
	}
	return !table || table->flags & TABLE_RELATIVE_ASK;
}

/* Whether a call is passed on whatever the table says of the path. Sets the path's length. */
static bool passes(const struct table *table, const char *path, size_t *length)
{
	if (!path || !path[0] || (table && table->flags & TABLE_OFF))
		return true;
	*length = strnlen(path, PATH_MAX);
	return *length == PATH_MAX; /* ENAMETOOLONG is the kernel's to say */
}

static enum side question(struct layer_request *request, const char *path, size_t length, struct ask *ask)
{
	size_t room = ask->path_size ? ask->path_size - 1 : 0;
	if (link_ask(request, path, length, &ask->answer, ask->path, room) != 0)
		return SIDE_FAILED;
	ask->path_length = ask->answer.reply.payload;
	if (ask->path_size)
		ask->path[ask->path_length] = 0;
	if (ask->answer.reply.outcome == WIRE_LAYER_OUTCOME_LOCAL)
		return ask->path_length ? SIDE_MOVED : SIDE_LOCAL;
	for (int i = 1; i >= 0; i--) /* a listing's second descriptor is the directory; the others' first is what counts */
		if (ask->answer.descriptors[i] >= 0) {
			identity_learn(ask->answer.descriptors[i], &ask->answer.reply);
			break;
		}
	return SIDE_DONE;
}

bool ask_passes(int intent, int directory, const char *path)
{
	const struct table *table = layer.shared;
	struct layer_request request;
	size_t length;
	return passes(table, path, &length) ||
	       !concerns_session(table, (unsigned)intent, directory, path, length, &request);
}

enum side ask_path(enum wire_layer_operation operation, int intent, int directory, const char *path, uint32_t flags,
                   uint32_t mode, struct ask *ask)
{
	const struct table *table = layer.shared;
	struct layer_request request = {.operation = operation, .flags = flags, .mode = mode};
	size_t length;
	ask->path_length = 0;
	ask->answer.descriptors[0] = ask->answer.descriptors[1] = -1;
	if (passes(table, path, &length) || !concerns_session(table, (unsigned)intent, directory, path, length, &request))
		return SIDE_LOCAL;
	return question(&request, path, length, ask);
}

const char *ask_place(int *directory, const char *path, char *room)
{
	const struct table *table = layer.shared;
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_PLACE};
	struct ask ask = {.path = room, .path_size = PATH_MAX};
	size_t length;
	if (passes(table, path, &length))
		return path;
	if (table && path[0] == '/' && !(table->flags & TABLE_CHANGES_ASK))
		return path;
	if (!concerns_session(table, INTENT_CHANGE, *directory, path, length, &request))
		return path;
	if (question(&request, path, length, &ask) == SIDE_FAILED)
		return NULL;
	if (!ask.path_length)
		return path;
	*directory = AT_FDCWD;
	return room;
}
