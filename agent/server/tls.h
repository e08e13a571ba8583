/* TLS of the server: certificate files and their reload, client certificates, the self-signed pair.
 * Effect (small files of our own are read on the loop).
 */
#pragma once

#include <openssl/ssl.h>

#include "base/err.h"
#include "user.h"

struct tls;

struct tls_setup {
	const char *cert_file, *key_file;
	const char *client_ca_file; /* NULL: client certificates are not asked for */
	const char *min_version;    /* VersionTLS12, VersionTLS13; NULL: 1.2 */
	char *const *cipher_suites; /* Go's names; NULL: the default */
};

int tls_new(const struct tls_setup *setup, struct tls **ret, struct err *e);
void tls_free(struct tls *t);
/* One connection's end, from files as they are now (looked at once a second at most; a bad new pair
 * is logged and the old one stays). NULL: out of luck, e set. */
SSL *tls_accept(struct tls *t, struct err *e);

/* The client's identity: 0 and *ret_user, 1: it showed no certificate, < 0: a certificate that our
 * CA did not issue for a client, or that is not valid now. */
int tls_identity(SSL *ssl, struct server_user *ret_user, struct err *e);

/* Makes the pair when one of the files is missing. Names: DNS names and addresses of the node. */
int tls_self_signed(const char *cert_file, const char *key_file, const char *common_name,
		    char *const *names, struct err *e);
