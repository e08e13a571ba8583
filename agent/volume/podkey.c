/* Keys for pod certificates (contract in podkey.h). Effect. */
#include "podkey.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "base/str.h"

DEFINE_FREEP(EVP_PKEY_free, EVP_PKEY)
DEFINE_FREEP(X509_REQ_free, X509_REQ)
DEFINE_FREEP(BIO_vfree, BIO)

static EVP_PKEY *make_key(const char *type)
{
	static const struct {
		const char *type, *curve;
		size_t rsa_bits;
	} kinds[] = {
		{ "ECDSAP256", "P-256", 0 }, { "ECDSAP384", "P-384", 0 },
		{ "ECDSAP521", "P-521", 0 }, { "RSA3072", NULL, 3072 },
		{ "RSA4096", NULL, 4096 },
	};

	if (str_eq(type, "ED25519"))
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!str_eq(kinds[i].type, type))
			continue;
		return kinds[i].curve ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", kinds[i].curve)
				      : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", kinds[i].rsa_bits);
	}
	return NULL;
}

static char *pem_of(EVP_PKEY *key)
{
	CLEANUP(BIO_vfreep) BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long n;

	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return NULL;
	n = BIO_get_mem_data(bio, &data);
	return mem_strndup(data, (size_t)n);
}

/* Ed25519 hashes by itself: no digest is named. */
static int sign(X509_REQ *request, EVP_PKEY *key)
{
	const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();

	return X509_REQ_set_version(request, 0) && X509_REQ_set_pubkey(request, key) &&
	       X509_REQ_sign(request, key, digest);
}

int podkey_make(const char *type, char **ret_pem, uint8_t **ret_request, size_t *ret_len,
		struct err *e)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = make_key(type);
	CLEANUP(X509_REQ_freep) X509_REQ *request = X509_REQ_new();
	unsigned char *der = NULL;
	int len;
	char *pem;

	if (!key)
		return err_set(e, ERR_INVALID, "cannot make a key of type \"%s\"",
			       str_or(type, ""));
	if (!request || !sign(request, key))
		return err_set(e, ERR_INTERNAL, "cannot sign a request with a key of type %s",
			       type);
	len = i2d_X509_REQ(request, &der);
	pem = pem_of(key);
	if (len < 0 || !pem) {
		OPENSSL_free(der);
		free(pem);
		return err_set(e, ERR_INTERNAL, "cannot encode a key of type %s", type);
	}
	*ret_pem = pem;
	*ret_len = (size_t)len;
	*ret_request = mem_dup(der, (size_t)len);
	OPENSSL_free(der);
	return 0;
}
