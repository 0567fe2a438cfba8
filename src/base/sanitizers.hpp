#pragma once
/// DSTA_THREAD_SANITIZER: 1 in a build with ThreadSanitizer, which knows neither membarrier nor loads of vectors.
#if defined(__SANITIZE_THREAD__)
#define DSTA_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DSTA_THREAD_SANITIZER 1
#endif
#endif
#ifndef DSTA_THREAD_SANITIZER
#define DSTA_THREAD_SANITIZER 0
#endif
