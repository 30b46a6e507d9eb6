/* What connections of the benchmarks lead to, in a pod: traffic ECHO SOURCE SINK, three ports.
 * The first sends back what comes. The others are told a size, as 8 bytes in network order: SOURCE sends so much, then
 * its end; SINK takes so much, then sends a byte. Prints a line once it listens; ends with its input. */
#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO, SOURCE, SINK, PORTS, PIECE = 256 << 10, STACK = 64 << 10 };
struct port { int server, kind; };
struct connection { int sock, kind; };

static void echo(int sock) {
    char data[4096];
    for (long got; (got = read(sock, data, sizeof data)) > 0;)
        if (write(sock, data, got) != got) return;
}

static void bulk(int sock, int kind) {
    uint64_t size;
    if (recv(sock, &size, sizeof size, MSG_WAITALL) != sizeof size) return;
    char *data = calloc(1, PIECE);
    for (uint64_t left = be64toh(size); left;) {
        size_t most = left < PIECE ? left : PIECE;
        long done = kind == SOURCE ? write(sock, data, most) : read(sock, data, most);
        if (done <= 0) break;
        left -= done;
    }
    free(data);
    if (kind == SOURCE) shutdown(sock, SHUT_WR);
    else if (write(sock, "", 1) != 1) return;
    char end;
    while (read(sock, &end, 1) > 0) {} /* the client closes first */
}

static void *serve(void *given) {
    struct connection connection = *(struct connection *)given;
    free(given);
    connection.kind == ECHO ? echo(connection.sock) : bulk(connection.sock, connection.kind);
    close(connection.sock);
    return NULL;
}

static void start(void *(*function)(void *), void *given) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, function, given)) abort();
}

static void *take(void *given) {
    struct port *port = given;
    for (;;) {
        int yes = 1, sock = accept(port->server, NULL, NULL);
        if (sock < 0) continue;
        setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct connection *connection = malloc(sizeof *connection);
        *connection = (struct connection){sock, port->kind};
        start(serve, connection);
    }
}

int main(int count, char **arguments) {
    static struct port ports[PORTS];
    if (count != PORTS + 1) return 2;
    signal(SIGPIPE, SIG_IGN);
    for (int kind = 0; kind < PORTS; kind++) {
        int server = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[kind + 1]))};
        setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 1024)) return perror("traffic"), 1;
        ports[kind] = (struct port){server, kind};
        start(take, &ports[kind]);
    }
    printf("listening\n");
    fflush(stdout);
    for (char end; read(0, &end, 1) > 0;) {}
    return 0;
}
