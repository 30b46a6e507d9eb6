/* Messages of the DNS: see dns.h. Pure. */
#include "dns.h"

#include <string.h>

enum { LABEL = 63, NAME = 255, RECURSION_DESIRED = 1 };

/* One byte of a label, at `*text`, which moves behind it. -1: a damaged escape. */
static int next_byte(const char **text)
{
	const unsigned char *at = (const unsigned char *)*text;
	if (at[0] != '\\') {
		*text += 1;
		return at[0];
	}
	if (at[1] < '0' || at[1] > '9') {
		*text += 2;
		return at[1] ? at[1] : -1;
	}
	int value = 0;
	for (int i = 1; i <= 3; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		value = value * 10 + at[i] - '0';
	}
	*text += 4;
	return value <= 255 ? value : -1;
}

/* Writes a name as labels, in NAME bytes. Returns how many, or 0. */
static size_t put_name(uint8_t *out, const char *name)
{
	size_t size = 0;
	if (name[0] == '.' && !name[1]) /* the root */
		name++;
	while (*name) {
		size_t head = size++; /* where the label's length goes */
		while (*name && *name != '.') {
			int byte = next_byte(&name);
			if (byte < 0 || size - head > LABEL || size >= NAME - 1)
				return 0;
			out[size++] = (uint8_t)byte;
		}
		if (size == head + 1)
			return 0;
		out[head] = (uint8_t)(size - head - 1);
		name += *name == '.';
	}
	out[size] = 0;
	return size + 1;
}

static uint8_t *put_number(uint8_t *out, unsigned number)
{
	out[0] = (uint8_t)(number >> 8);
	out[1] = (uint8_t)number;
	return out + 2;
}

size_t dns_question(uint8_t message[DNS_QUESTION], const char *name, uint16_t record_class, uint16_t type, uint16_t id)
{
	size_t size = put_name(message + DNS_HEAD, name);
	if (!size)
		return 0;
	memset(message, 0, DNS_HEAD);
	put_number(message, id);
	message[2] = RECURSION_DESIRED;
	message[5] = 1; /* question */
	uint8_t *end = put_number(put_number(message + DNS_HEAD + size, type), record_class);
	return (size_t)(end - message);
}

unsigned dns_code(const uint8_t *message)
{
	return message[3] & 15;
}

unsigned dns_answers(const uint8_t *message)
{
	return (unsigned)message[6] << 8 | message[7];
}
