/* Asks for records through res_*, and for names through the old functions; prints a line for each answer.
 * Run twice by test_names.py, as names.py is. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void tell_records(const char *label, const unsigned char *answer, int size) {
    printf("%s:", label);
    ns_msg message;
    if (size < 0 || ns_initparse(answer, size, &message) < 0) {
        printf(" h_errno %d\n", h_errno);
        return;
    }
    for (int section = ns_s_an; section <= ns_s_an; section++)
        for (int i = 0; i < ns_msg_count(message, section); i++) {
            ns_rr record;
            char text[1024];
            if (ns_parserr(&message, section, i, &record) < 0) continue;
            ns_sprintrr(&message, &record, NULL, NULL, text, sizeof text);
            for (char *at = text; *at; at++)
                if (*at == '\t') *at = ' ';
            /* without the lifetime, which runs */
            printf(" [%s %d%.21s]", ns_rr_name(record), ns_rr_type(record), strrchr(text, ' '));
        }
    printf(" rcode %d\n", ns_msg_getflag(message, ns_f_rcode));
}

static void tell_host(const char *label, struct hostent *host) {
    printf("%s:", label);
    if (!host) {
        printf(" h_errno %d\n", h_errno);
        return;
    }
    printf(" %s", host->h_name);
    for (char **alias = host->h_aliases; *alias; alias++) printf(" alias %s", *alias);
    for (char **address = host->h_addr_list; *address; address++) {
        char text[64];
        printf(" %s", inet_ntop(host->h_addrtype, *address, text, sizeof text));
    }
    printf("\n");
}

int main(void) {
    unsigned char answer[65536], question[512];
    static struct __res_state state;

    res_init();
    tell_records("res_query SRV", answer, res_query("_http._tcp.shop.test", ns_c_in, ns_t_srv, answer, sizeof answer));
    tell_records("res_query MX", answer, res_query("shop.test", ns_c_in, ns_t_mx, answer, sizeof answer));
    tell_records("res_query large", answer, res_query("large.shop.test", ns_c_in, ns_t_txt, answer, sizeof answer));
    tell_records("res_query nothing", answer, res_query("nothing.shop.test", ns_c_in, ns_t_a, answer, sizeof answer));
    tell_records("res_query no data", answer, res_query("four.shop.test", ns_c_in, ns_t_mx, answer, sizeof answer));
    tell_records("res_query broken", answer, res_query("broken.shop.test", ns_c_in, ns_t_a, answer, sizeof answer));
    tell_records("res_search", answer, res_search("_http._tcp", ns_c_in, ns_t_srv, answer, sizeof answer));
    tell_records("res_search lan", answer, res_search("mail", ns_c_in, ns_t_a, answer, sizeof answer));
    tell_records("res_querydomain", answer,
                 res_querydomain("db", "shop.test", ns_c_in, ns_t_aaaa, answer, sizeof answer));
    int size = res_mkquery(ns_o_query, "db.shop.test", ns_c_in, ns_t_a, NULL, 0, NULL, question, sizeof question);
    tell_records("res_send", answer, res_send(question, size, answer, sizeof answer));
    res_ninit(&state);
    tell_records("res_nquery", answer,
                 res_nquery(&state, "text.shop.test", ns_c_in, ns_t_txt, answer, sizeof answer));
    tell_records("res_nsearch", answer, res_nsearch(&state, "text", ns_c_in, ns_t_txt, answer, sizeof answer));
    tell_records("res_nsend", answer, res_nsend(&state, question, size, answer, sizeof answer));
    res_nclose(&state);

    const char *names[] = {"db", "four.shop.test", "six", "gw", "nothing", "broken.shop.test.", "10.77.0.9", "www"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct hostent result, *found = NULL;
        char buffer[8192];
        int error = 0;
        printf("%s ", names[i]);
        tell_host("gethostbyname", gethostbyname(names[i]));
        tell_host("gethostbyname2", gethostbyname2(names[i], AF_INET6));
        int code = gethostbyname_r(names[i], &result, buffer, sizeof buffer, &found, &error);
        printf("gethostbyname_r %d h_errno %d\n", found ? code : -1, found ? 0 : error);
        tell_host("gethostbyname_r", found);
        if (found) {
            code = gethostbyname_r(names[i], &result, buffer, 16, &found, &error);
            printf("gethostbyname_r, little room: %d\n", code);
        }
    }
    unsigned char address[4] = {10, 77, 0, 1}, nobody[4] = {10, 77, 0, 98};
    tell_host("gethostbyaddr", gethostbyaddr(address, 4, AF_INET));
    tell_host("gethostbyaddr, nobody", gethostbyaddr(nobody, 4, AF_INET));

    struct utsname system;
    char name[256];
    errno = 0;
    printf("uname %d %s, ", uname(&system), system.nodename);
    printf("gethostname %d %s, ", gethostname(name, sizeof name), name);
    printf("short %d errno %d\n", gethostname(name, 4), errno);
    return 0;
}
