/* Messages of the DNS (RFC 1035), as much as is needed to ask one question and to see how it was answered. */
#ifndef MIRRORD_DNS_H
#define MIRRORD_DNS_H

#include <stddef.h>
#include <stdint.h>

enum {
	DNS_HEAD = 12,                      /* bytes of a message's header */
	DNS_QUESTION = DNS_HEAD + 255 + 4, /* bytes of the largest message with one question */
	DNS_LARGEST = 65535,
};

/*
 * Writes the message that asks for a name's records, with recursion wanted. The name is as people write it: labels
 * between dots, a dot at the end is of no account, `\.` is a dot within a label, `\DDD` a byte by its decimal number.
 * Returns its size, or 0: there is no such name.
 */
size_t dns_question(uint8_t message[DNS_QUESTION], const char *name, uint16_t record_class, uint16_t type, uint16_t id);

/* The response code, and how many records answer, of a message that has a header. */
unsigned dns_code(const uint8_t *message);
unsigned dns_answers(const uint8_t *message);

#endif
