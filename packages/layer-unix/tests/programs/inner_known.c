/* The cache of what was told of addresses: crowds of keys under threads, and never another key's facts. */
#include "check.h"

#include "known.h"

#include <pthread.h>

static struct known_key key_of(uint64_t number)
{
	return (struct known_key){
		.inode = number / 7, .kind = KNOWN_ENDS, .port = 80, .peer = {.family = 4, .port = (uint16_t)number}};
}

static void *look(void *argument)
{
	uint64_t *hits = argument;
	for (uint64_t i = 0; i < 200000; i++) {
		uint64_t number = i * 7919 % 400;
		struct known_key key = key_of(number);
		struct known known;
		if (known_recall(&key, &known)) {
			++*hits;
			CHECK(known.time == number && known.own.first == number && known.peer.second == number);
			continue;
		}
		known = (struct known){.own = {.first = number}, .peer = {.second = number}, .time = number};
		known_remember(&key, &known);
	}
	return NULL;
}

int main(void)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	uint64_t hits[THREADS] = {0};
	struct known_key key = key_of(1), other = key;
	struct known known = {.time = 1};
	CHECK(!known_recall(&key, &known));
	known_remember(&key, &known);
	other.kind = KNOWN_DESTINATION;
	CHECK(known_recall(&key, &known) && known.time == 1 && !known_recall(&other, &known));
	known.time = 2;
	known_remember(&key, &known);
	CHECK(known_recall(&key, &known) && known.time == 2);
	known.time = 1;
	known.own.first = known.peer.second = 1;
	known_remember(&key, &known);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, look, &hits[i]) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(hits[i] > 0);
	return 0;
}
