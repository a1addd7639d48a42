#pragma once
#include <curl/curl.h>

// Swift cannot call the variadic original.
static inline void vitrine_curl_text(CURL *curl, CURLoption option, const char *value) { curl_easy_setopt(curl, option, value); }
static inline void vitrine_curl_long(CURL *curl, CURLoption option, long value) { curl_easy_setopt(curl, option, value); }
static inline void vitrine_curl_list(CURL *curl, CURLoption option, struct curl_slist *value) { curl_easy_setopt(curl, option, value); }
static inline void vitrine_curl_read(CURL *curl, size_t (*read)(char *, size_t, size_t, void *), void *source) {
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read);
    curl_easy_setopt(curl, CURLOPT_READDATA, source);
}
