/* Dates of client certificates (contract in certificate.h). Pure. */
#include "certificate.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/time.h"

static X509 *read_first(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return certificate;
}

static void time_text(const ASN1_TIME *t, char *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm))
		kube_time_format((int64_t)timegm(&tm), out);
	else
		strcpy(out, "a time unknown");
}

int certificate_check(const char *pem, const char *file, int64_t now_sec, struct err *e)
{
	AUTO_FREE char *noun = file ? str_fmt("client certificate %s", file)
				    : mem_strdup("the client certificate in the kubeconfig");
	X509 *certificate = read_first(pem);
	time_t now = (time_t)now_sec;
	char when[KUBE_TIME_TEXT];
	int r = 0;

	if (!certificate)
		return err_set(e, ERR_INVALID, "%s is no PEM certificate", noun);
	if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0) {
		time_text(X509_get0_notAfter(certificate), when);
		r = err_set(e, ERR_UNAUTHORIZED,
			    "%s expired at %s: renew it (kubeadm certs renew, or join again); %s",
			    noun, when,
			    file ? "it is read again when the API server refuses it"
				 : "then start again");
	} else if (X509_cmp_time(X509_get0_notBefore(certificate), &now) > 0) {
		time_text(X509_get0_notBefore(certificate), when);
		r = err_set(e, ERR_UNAUTHORIZED,
			    "%s is valid only from %s on: set this host's clock", noun, when);
	}
	X509_free(certificate);
	return r;
}
