/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/crypt_key.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define KEY_BYTES  32u
#define DATA_BYTES (2u * KEY_BYTES) /* XTS takes two keys */
#define PAGE_BYTES 4096u
#define FILE_BYTES (2u * KEY_BYTES + 2u) /* the longest: digits and a line's end */

/* In a page of its own. */
struct secrets {
    uint8_t wrapping[KEY_BYTES];
    uint8_t next[CRYPT_WRAPPED_BYTES]; /* DATA_BYTES; libcrypto may unwrap as much as it reads */
    uint8_t file[FILE_BYTES];
};

struct crypt_keys {
    struct secrets *secrets;
    EVP_CIPHER_CTX *encrypt, *decrypt;
};

/* ---- memory ---- */

static struct secrets *lock_page(const char *path, struct cipu_error *error)
{
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        cipu_fail(error, -ENOMEM, "%s: no memory for keys", path);
        return NULL;
    }
    if (mlock(page, PAGE_BYTES) == 0 && madvise(page, PAGE_BYTES, MADV_DONTDUMP) == 0)
        return page;
    cipu_fail(error, -ENOMEM, "%s: memory for keys cannot be locked: %s (is RLIMIT_MEMLOCK too low?)", path,
              strerror(errno));
    munmap(page, PAGE_BYTES);
    return NULL;
}

static struct secrets *allocate(const char *path, struct crypt_keys **result, struct cipu_error *error)
{
    struct crypt_keys *keys = *result = calloc(1, sizeof *keys);
    if (keys) {
        keys->encrypt = EVP_CIPHER_CTX_new();
        keys->decrypt = EVP_CIPHER_CTX_new();
    }
    if (!keys || !keys->encrypt || !keys->decrypt) {
        cipu_fail(error, -ENOMEM, "%s: no memory for a cipher", path);
        return NULL;
    }
    return keys->secrets = lock_page(path, error);
}

void crypt_keys_close(struct crypt_keys *keys)
{
    if (!keys)
        return;
    EVP_CIPHER_CTX_free(keys->encrypt);
    EVP_CIPHER_CTX_free(keys->decrypt);
    if (keys->secrets) {
        OPENSSL_cleanse(keys->secrets, sizeof *keys->secrets);
        munmap(keys->secrets, PAGE_BYTES);
    }
    free(keys);
}

/* ---- the key file ---- */

static int digit(uint8_t character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    int letter = tolower(character);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool read_digits(const uint8_t *text, uint8_t key[KEY_BYTES])
{
    for (unsigned i = 0; i < KEY_BYTES; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool parse(struct secrets *secrets, size_t bytes)
{
    if (bytes == KEY_BYTES) {
        memcpy(secrets->wrapping, secrets->file, KEY_BYTES);
        return true;
    }
    while (bytes > 2 * KEY_BYTES && (secrets->file[bytes - 1] == '\n' || secrets->file[bytes - 1] == '\r'))
        bytes--;
    return bytes == 2 * KEY_BYTES && read_digits(secrets->file, secrets->wrapping);
}

static int read_file(struct secrets *secrets, int fd, const char *path, struct cipu_error *error)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return cipu_fail(error, -errno, "%s: %s", path, strerror(errno));
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        return cipu_fail(error, -EPERM, "%s: found a key file of mode %04o, expected one that only its owner can read",
                         path, status.st_mode & 07777u);
    ssize_t bytes =
        S_ISREG(status.st_mode) && status.st_size <= (off_t)FILE_BYTES ? read(fd, secrets->file, FILE_BYTES) : 0;
    if (bytes < 0)
        return cipu_fail(error, -errno, "%s: %s", path, strerror(errno));
    bool good = parse(secrets, (size_t)bytes);
    OPENSSL_cleanse(secrets->file, sizeof secrets->file);
    return good
               ? 0
               : cipu_fail(error, -EINVAL, "%s: found no key, expected a file of %u bytes, or of %u hexadecimal digits",
                           path, KEY_BYTES, 2 * KEY_BYTES);
}

int crypt_keys_open(const char *path, struct crypt_keys **result, struct cipu_error *error)
{
    struct crypt_keys *keys = NULL;
    *result = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return cipu_fail(error, -errno, "key file %s: %s", path, strerror(errno));
    struct secrets *secrets = allocate(path, &keys, error);
    int code = secrets ? read_file(secrets, fd, path, error) : -ENOMEM;
    close(fd);
    if (code) {
        crypt_keys_close(keys);
        return code;
    }
    *result = keys;
    return 0;
}

/* ---- wrapping: RFC 3394 with its own initial value ---- */

static bool wrap(const struct crypt_keys *keys, bool wraps, const uint8_t *from, int bytes, uint8_t *to)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int length = 0;
    if (!context)
        return false;
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool good = EVP_CipherInit_ex(context, EVP_aes_256_wrap(), NULL, keys->secrets->wrapping, NULL, wraps) == 1 &&
                EVP_CipherUpdate(context, to, &length, from, bytes) == 1 &&
                length == (int)(wraps ? CRYPT_WRAPPED_BYTES : DATA_BYTES);
    EVP_CIPHER_CTX_free(context);
    return good;
}

int crypt_keys_draw(struct crypt_keys *keys, uint8_t wrapped[CRYPT_WRAPPED_BYTES])
{
    if (RAND_priv_bytes(keys->secrets->next, DATA_BYTES) != 1)
        return -EIO;
    return wrap(keys, true, keys->secrets->next, DATA_BYTES, wrapped) ? 0 : -EIO;
}

int crypt_keys_unwrap(struct crypt_keys *keys, const uint8_t wrapped[CRYPT_WRAPPED_BYTES])
{
    return wrap(keys, false, wrapped, CRYPT_WRAPPED_BYTES, keys->secrets->next) ? 0 : -EACCES;
}

/* ---- data ---- */

int crypt_keys_use(struct crypt_keys *keys)
{
    /* Frees, and so overwrites, what was expanded of the key of before. */
    bool good = EVP_CIPHER_CTX_reset(keys->encrypt) == 1 && EVP_CIPHER_CTX_reset(keys->decrypt) == 1 &&
                EVP_CipherInit_ex(keys->encrypt, EVP_aes_256_xts(), NULL, keys->secrets->next, NULL, 1) == 1 &&
                EVP_CipherInit_ex(keys->decrypt, EVP_aes_256_xts(), NULL, keys->secrets->next, NULL, 0) == 1;
    OPENSSL_cleanse(keys->secrets->next, sizeof keys->secrets->next);
    return good ? 0 : -EIO;
}

static int crypt_unit(EVP_CIPHER_CTX *context, uint64_t unit, uint8_t *data)
{
    uint8_t tweak[16] = {0};
    int length = 0;
    for (unsigned i = 0; i < 8; i++)
        tweak[i] = (uint8_t)(unit >> 8 * i);
    return EVP_CipherInit_ex(context, NULL, NULL, NULL, tweak, -1) == 1 &&
                   EVP_CipherUpdate(context, data, &length, data, CRYPT_UNIT) == 1 && length == (int)CRYPT_UNIT
               ? 0
               : -EIO;
}

int crypt_encrypt(struct crypt_keys *keys, uint64_t unit, void *data, uint64_t bytes)
{
    int result = 0;
    for (uint64_t done = 0; done < bytes && !result; done += CRYPT_UNIT)
        result = crypt_unit(keys->encrypt, unit++, (uint8_t *)data + done);
    return result;
}

static bool is_zeros(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word == 0 && memcmp(data, data + sizeof word, CRYPT_UNIT - sizeof word) == 0;
}

int crypt_decrypt(struct crypt_keys *keys, uint64_t unit, void *data, uint64_t bytes)
{
    int result = 0;
    for (uint64_t done = 0; done < bytes && !result; done += CRYPT_UNIT, unit++) {
        uint8_t *at = (uint8_t *)data + done;
        result = is_zeros(at) ? 0 : crypt_unit(keys->decrypt, unit, at);
    }
    return result;
}
