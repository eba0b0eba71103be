// The system's OpenSSL 3, and static inline functions for what reaches C programs as macros only.
#ifndef SELVAGE_COPENSSL_SHIM_H
#define SELVAGE_COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

static inline int selvage_ctx_set_min_version(SSL_CTX *ctx, int version) {
    return (int)SSL_CTX_set_min_proto_version(ctx, version);
}
static inline int selvage_ssl_set_min_version(SSL *ssl, int version) {
    return (int)SSL_set_min_proto_version(ssl, version);
}
static inline void selvage_ctx_set_mode(SSL_CTX *ctx, long mode) { (void)SSL_CTX_set_mode(ctx, mode); }
static inline void selvage_ctx_session_cache_off(SSL_CTX *ctx) {
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}
static inline void selvage_ctx_set_read_ahead(SSL_CTX *ctx) { SSL_CTX_set_read_ahead(ctx, 1); }
static inline int selvage_ctx_add_chain_cert(SSL_CTX *ctx, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(ctx, certificate);
}
static inline void selvage_ssl_set_host_name(SSL *ssl, const char *name) {
    (void)SSL_set_tlsext_host_name(ssl, name);
}
static inline void selvage_ssl_set_app_data(SSL *ssl, void *data) { SSL_set_app_data(ssl, data); }
static inline void *selvage_ssl_get_app_data(const SSL *ssl) { return SSL_get_app_data(ssl); }
static inline void selvage_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void selvage_bio_set_retry_write(BIO *bio) { BIO_set_retry_write(bio); }
static inline void selvage_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

typedef int (*selvage_ticket_cb)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int);
static inline void selvage_ctx_set_ticket_callback(SSL_CTX *ctx, selvage_ticket_cb callback) {
    (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, callback);
}
/// Keys a ticket's MAC with HMAC-SHA256.
static inline int selvage_mac_set_key(EVP_MAC_CTX *mac, unsigned char *key, size_t length) {
    OSSL_PARAM params[3];
    params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, length);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
    params[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, params);
}

enum {
    selvage_tls1_2 = TLS1_2_VERSION,
    // Idle connections give their record buffers (33 KB) back.
    selvage_mode = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS,
};
static inline unsigned long selvage_server_options(void) {
    return SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
           SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF;
}

#endif
