/* TLS of the server (contract in tls.h). Effect. */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/ciphers.h"

enum {
	CHECK_USEC = USEC_PER_SEC,
	SELF_SIGNED_DAYS = 365,
	SERIAL_BYTES = 16,
	NAME_MAX_BYTES = 256,
};

/* Enough of stat to see that a file was replaced or rewritten. */
struct stamp {
	struct timespec mtime;
	ino_t inode;
	off_t size;
};

enum { FILE_CERT, FILE_KEY, FILE_CA, FILE_COUNT };

struct tls {
	char *files[FILE_COUNT];
	struct stamp stamps[FILE_COUNT];
	int min_version;
	char *ciphers; /* OpenSSL's names, NULL: default */
	SSL_CTX *ctx;
	int64_t checked_usec;
};

/* The innermost reason that OpenSSL gives. */
static int ssl_err(struct err *e, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	char text[256] = "unknown reason";

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_set(e, ERR_INVALID, "%s: %s", what, text);
}

static void take_stamps(const struct tls *t, struct stamp stamps[FILE_COUNT])
{
	for (int i = 0; i < FILE_COUNT; i++) {
		struct stat st = { 0 };

		/* a missing file has its own stamp: zero */
		if (t->files[i] && stat(t->files[i], &st) < 0)
			st = (struct stat){ 0 };
		stamps[i] = (struct stamp){ st.st_mtim, st.st_ino, st.st_size };
	}
}

static bool same_stamps(const struct stamp *a, const struct stamp *b)
{
	for (int i = 0; i < FILE_COUNT; i++)
		if (a[i].inode != b[i].inode || a[i].size != b[i].size ||
		    a[i].mtime.tv_sec != b[i].mtime.tv_sec ||
		    a[i].mtime.tv_nsec != b[i].mtime.tv_nsec)
			return false;
	return true;
}

static int select_http1(SSL *ssl, const unsigned char **out, unsigned char *out_len,
			const unsigned char *in, unsigned int in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* The handshake goes on whatever the certificate is worth: tls_identity judges it, and another
 * credential may still count. */
static int verify_later(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

	/* a later, better link of the chain must not wash this away */
	if (!ok)
		SSL_set_app_data(ssl, (char *)(intptr_t)X509_STORE_CTX_get_error(store));
	return 1;
}

static int load_client_ca(SSL_CTX *ctx, const char *file, struct err *e)
{
	STACK_OF(X509_NAME) * names;

	if (!SSL_CTX_load_verify_locations(ctx, file, NULL))
		return ssl_err(e, file);
	names = SSL_load_client_CA_file(file);
	if (!names)
		return ssl_err(e, file);
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, verify_later);
	return 0;
}

static int fill_ctx(const struct tls *t, SSL_CTX *ctx, struct err *e)
{
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	/* a resumed session would outlive the CA that vouched for it; a client that ends its half
	 * without close_notify is at its end all the same */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_alpn_select_cb(ctx, select_http1, NULL);
	if (!SSL_CTX_set_min_proto_version(ctx, t->min_version))
		return ssl_err(e, "minimum TLS version");
	if (t->ciphers && !SSL_CTX_set_cipher_list(ctx, t->ciphers))
		return ssl_err(e, "cipher suites");
	if (SSL_CTX_use_certificate_chain_file(ctx, t->files[FILE_CERT]) != 1)
		return ssl_err(e, t->files[FILE_CERT]);
	if (SSL_CTX_use_PrivateKey_file(ctx, t->files[FILE_KEY], SSL_FILETYPE_PEM) != 1)
		return ssl_err(e, t->files[FILE_KEY]);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return ssl_err(e, "certificate and key do not belong together");
	return t->files[FILE_CA] ? load_client_ca(ctx, t->files[FILE_CA], e) : 0;
}

/* OpenSSL calls a missing file "system lib" */
static int check_readable(const struct tls *t, struct err *e)
{
	for (int i = 0; i < FILE_COUNT; i++) {
		if (t->files[i] && access(t->files[i], R_OK) < 0)
			return err_os(e, errno, "open %s", t->files[i]);
	}
	return 0;
}

static int load(struct tls *t, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return ssl_err(e, "TLS");
	if (check_readable(t, e) < 0 || fill_ctx(t, ctx, e) < 0) {
		SSL_CTX_free(ctx);
		/* whatever is wrong with a file: whoever writes it may not be done yet */
		if (e && e->code == ERR_INVALID)
			e->code = ERR_UNAVAILABLE;
		return err_wrap(e, "serving certificate or client CA");
	}
	SSL_CTX_free(t->ctx);
	t->ctx = ctx;
	return 0;
}

static void reload_if_changed(struct tls *t)
{
	struct stamp now[FILE_COUNT];
	int64_t usec = clock_mono_usec();
	struct err e;

	if (usec - t->checked_usec < CHECK_USEC)
		return;
	t->checked_usec = usec;
	take_stamps(t, now);
	if (same_stamps(now, t->stamps))
		return;
	memcpy(t->stamps, now, sizeof(now));
	if (load(t, &e) < 0)
		log_err(&e, "reload, the certificate in use stays");
	else
		log_info("serving certificate reloaded file=%s", t->files[FILE_CERT]);
}

SSL *tls_accept(struct tls *t, struct err *e)
{
	SSL *ssl;

	reload_if_changed(t);
	ssl = SSL_new(t->ctx);
	if (!ssl)
		ssl_err(e, "TLS");
	return ssl;
}

static int parse_version(const char *text, struct err *e)
{
	static const struct {
		const char *name;
		int version;
	} rows[] = {
		{ "VersionTLS10", TLS1_VERSION },
		{ "VersionTLS11", TLS1_1_VERSION },
		{ "VersionTLS12", TLS1_2_VERSION },
		{ "VersionTLS13", TLS1_3_VERSION },
	};

	if (str_empty(text))
		return TLS1_2_VERSION;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_eq(rows[i].name, text))
			return rows[i].version;
	return err_set(e, ERR_INVALID, "unknown tlsMinVersion \"%s\"", text);
}

/* Suites of TLS 1.3 cannot be chosen, as upstream. */
static int map_ciphers(char *const *suites, char **ret, struct err *e)
{
	AUTO_STR out = { 0 };

	for (size_t i = 0; suites && suites[i]; i++) {
		const char *name = ciphers_find(suites[i]);

		if (!name)
			return err_set(e, ERR_INVALID, "unknown cipher suite \"%s\"", suites[i]);
		if (*name)
			str_printf(&out, "%s%s", out.len ? ":" : "", name);
	}
	*ret = out.len ? str_take(&out) : NULL;
	return 0;
}

int tls_new(const struct tls_setup *s, struct tls **ret, struct err *e)
{
	struct tls *t = NEW(struct tls);

	t->files[FILE_CERT] = mem_strdup(s->cert_file);
	t->files[FILE_KEY] = mem_strdup(s->key_file);
	t->files[FILE_CA] = str_empty(s->client_ca_file) ? NULL : mem_strdup(s->client_ca_file);
	t->min_version = parse_version(s->min_version, e);
	take_stamps(t, t->stamps);
	t->checked_usec = clock_mono_usec();
	if (t->min_version < 0 || map_ciphers(s->cipher_suites, &t->ciphers, e) < 0 ||
	    load(t, e) < 0) {
		tls_free(t);
		return -1;
	}
	*ret = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	for (int i = 0; i < FILE_COUNT; i++)
		free(t->files[i]);
	free(t->ciphers);
	SSL_CTX_free(t->ctx);
	free(t);
}

/* One attribute of a name as UTF-8; NULL when it is not text. */
static char *entry_text(X509_NAME *name, int index)
{
	ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, s);
	char *text = NULL;

	/* a NUL inside would make two names look alike */
	if (len >= 0 && len <= NAME_MAX_BYTES && !memchr(utf8, '\0', (size_t)len))
		text = mem_strndup((char *)utf8, (size_t)len);
	OPENSSL_free(utf8);
	return text;
}

static int subject_identity(X509 *cert, struct server_user *ret_user, struct err *e)
{
	X509_NAME *name = X509_get_subject_name(cert);
	struct server_user u = { 0 };

	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(X509_NAME_get_entry(name, i)));
		AUTO_FREE char *text = entry_text(name, i);

		if (nid != NID_commonName && nid != NID_organizationName)
			continue;
		if (!text) {
			server_user_fini(&u);
			return err_set(e, ERR_UNAUTHORIZED, "client certificate: bad subject");
		}
		if (nid == NID_organizationName)
			strv_push(&u.groups, text);
		else if (!u.name)
			u.name = TAKE(text);
	}
	if (str_empty(u.name)) {
		server_user_fini(&u);
		return err_set(e, ERR_UNAUTHORIZED, "client certificate: no common name");
	}
	*ret_user = u;
	return 0;
}

int tls_identity(SSL *ssl, struct server_user *ret_user, struct err *e)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	long verdict = (long)(intptr_t)SSL_get_app_data(ssl);

	if (!cert)
		return 1;
	if (verdict == X509_V_OK)
		verdict = SSL_get_verify_result(ssl);
	if (verdict != X509_V_OK)
		return err_set(e, ERR_UNAUTHORIZED, "client certificate: %s",
			       X509_verify_cert_error_string(verdict));
	return subject_identity(cert, ret_user, e);
}

/* ---- self-signed pair ---- */

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	int ok = x && X509_add_ext(cert, x, -1);

	X509_EXTENSION_free(x);
	return ok;
}

static char *alternative_names(char *const *names)
{
	struct str s = { 0 };
	struct in6_addr a;

	for (size_t i = 0; names && names[i]; i++) {
		bool ip =
		    inet_pton(AF_INET, names[i], &a) == 1 || inet_pton(AF_INET6, names[i], &a) == 1;

		str_printf(&s, "%s%s:%s", s.len ? "," : "", ip ? "IP" : "DNS", names[i]);
	}
	return str_take(&s);
}

static bool fill_cert(X509 *cert, EVP_PKEY *key, const char *common_name, char *const *names)
{
	AUTO_FREE char *alt = alternative_names(names);
	unsigned char serial[SERIAL_BYTES];
	X509_NAME *name = X509_get_subject_name(cert);
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return false;
	serial[0] &= 0x7f;
	n = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok && X509_set_version(cert, X509_VERSION_3) &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -60L * 60) &&
	       X509_time_adj_ex(X509_getm_notAfter(cert), SELF_SIGNED_DAYS, 0, NULL) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					  (const unsigned char *)common_name, -1, -1, 0) &&
	       X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key) &&
	       add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_extension(cert, NID_key_usage,
			     "critical,digitalSignature,keyEncipherment,keyCertSign") &&
	       add_extension(cert, NID_ext_key_usage, "serverAuth") &&
	       (!alt[0] || add_extension(cert, NID_subject_alt_name, alt)) &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

/* Writes what `put` prints into a memory BIO. */
static int write_pem(const char *file, mode_t mode, BIO *bio, struct err *e)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);

	return fs_write_atomic(file, text, (size_t)len, mode, e);
}

static int make_pair(const char *cert_file, const char *key_file, X509 *cert, EVP_PKEY *key,
		     struct err *e)
{
	BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
	int rc = -1;

	if (!cert_pem || !key_pem || !PEM_write_bio_X509(cert_pem, cert) ||
	    !PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL))
		ssl_err(e, "self-signed certificate");
	else if (write_pem(key_file, 0600, key_pem, e) == 0)
		rc = write_pem(cert_file, 0644, cert_pem, e);
	BIO_free(cert_pem);
	BIO_free(key_pem);
	return rc;
}

int tls_self_signed(const char *cert_file, const char *key_file, const char *common_name,
		    char *const *names, struct err *e)
{
	EVP_PKEY *key;
	X509 *cert;
	int rc;

	if (access(cert_file, R_OK) == 0 && access(key_file, R_OK) == 0)
		return 0;
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	if (!key || !cert || !fill_cert(cert, key, common_name, names))
		rc = ssl_err(e, "self-signed certificate");
	else
		rc = make_pair(cert_file, key_file, cert, key, e);
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}
