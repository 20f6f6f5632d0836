// What all C and C++ adapters share: printing an entry's line, hashing its data,
// and giving up. The lines' format is that of ../../reader.go.
#ifndef ADAPTER_H
#define ADAPTER_H

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { PIECE = 1 << 18 }; // bytes read at a time

static EVP_MD_CTX *sha;

// fail says what is wrong and ends the program.
__attribute__((noreturn, format(printf, 1, 2))) static inline void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

// archive_of returns the command's last argument.
static inline const char *archive_of(int argc, char **argv)
{
	static char buffer[1 << 16];
	if (argc < 2)
		fail("usage: %s ARCHIVE", argv[0]);
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	return argv[argc - 1];
}

static inline void put_hex(const void *data, size_t n)
{
	const unsigned char *p = (const unsigned char *)data;
	for (size_t i = 0; i < n; i++) {
		putchar("0123456789abcdef"[p[i] >> 4]);
		putchar("0123456789abcdef"[p[i] & 15]);
	}
}

static inline int ends_in_slash(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && name[n - 1] == '/';
}

// type_of returns an entry's type from its Unix mode, if there is one, and name.
static inline char type_of(unsigned mode, const char *name)
{
	return S_ISLNK(mode) ? 'l' : S_ISDIR(mode) || ends_in_slash(name) ? 'd' : 'f';
}

static inline void put_name(const char *name, char type)
{
	printf("name=");
	put_hex(name, strlen(name));
	if (type == 'd' && !ends_in_slash(name))
		printf("2f");
	printf(" type=%c", type);
}

static inline void sha_start(void)
{
	if (!sha)
		sha = EVP_MD_CTX_new();
	if (!sha || !EVP_DigestInit_ex(sha, EVP_sha256(), NULL))
		fail("no SHA-256");
}

static inline void sha_add(const void *data, size_t n)
{
	if (!EVP_DigestUpdate(sha, data, n))
		fail("no SHA-256");
}

static inline void put_sha(void)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n;
	if (!EVP_DigestFinal_ex(sha, sum, &n))
		fail("no SHA-256");
	printf(" sha=");
	put_hex(sum, n);
}

// dos_time returns the seconds since 1970 of MS-DOS date and time fields in UTC.
static inline time_t dos_time(unsigned date, unsigned time)
{
	struct tm tm = {};
	tm.tm_year = (date >> 9) + 80;
	tm.tm_mon = (date >> 5 & 15) - 1;
	tm.tm_mday = date & 31;
	tm.tm_hour = time >> 11;
	tm.tm_min = time >> 5 & 63;
	tm.tm_sec = (time & 31) * 2;
	return timegm(&tm);
}

// done returns main's exit code once everything is printed.
static inline int done(void)
{
	if (fflush(stdout) || ferror(stdout))
		fail("can't write");
	return 0;
}

#endif
