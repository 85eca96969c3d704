// What the drivers in C and C++ have in common: words of a line, payloads as hexadecimal digits, answers.
#pragma once

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { words_max = 10 };

// Splits the line in place; returns how many words there are.
static inline int split_words(char* line, char** words) {
    int count = 0;
    char* rest = NULL;
    for (char* word = strtok_r(line, " \n", &rest); word != NULL && count != words_max;
         word = strtok_r(NULL, " \n", &rest))
        words[count++] = word;
    return count;
}

static inline int hex_digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

// Decodes in place; returns the number of bytes.
static inline int from_hex(char* text) {
    if (strcmp(text, "-") == 0) return 0;
    const size_t size = strlen(text) / 2;
    for (size_t i = 0; i != size; ++i)
        text[i] = (char)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return (int)size;
}

static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;

// One line of output; callbacks come on threads of the library.
static inline void say(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&output_lock);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output_lock);
    va_end(arguments);
}

static inline void say_message(const char* topic, int qos, int retained, const void* payload, size_t size) {
    const unsigned char* const bytes = (const unsigned char*)payload;
    pthread_mutex_lock(&output_lock);
    printf("message %s %d %d ", topic, qos, retained);
    if (size == 0) putchar('-');
    for (size_t i = 0; i != size; ++i)
        printf("%02x", bytes[i]);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output_lock);
}

// Says what failed and ends the process.
static inline void check(int ok, const char* what, const char* why) {
    if (ok) return;
    say("error %s: %s", what, why);
    exit(1);
}
