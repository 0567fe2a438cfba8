#pragma once
/// Clang's thread-safety annotations, under names of this library. Other compilers see nothing.
/// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html says what each means.
#if defined(__clang__)
#define DSTA_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define DSTA_THREAD_ANNOTATION(x)
#endif

#define DSTA_CAPABILITY(name) DSTA_THREAD_ANNOTATION(capability(name))
#define DSTA_SCOPED_CAPABILITY DSTA_THREAD_ANNOTATION(scoped_lockable)
#define DSTA_GUARDED_BY(mutex) DSTA_THREAD_ANNOTATION(guarded_by(mutex))
#define DSTA_PT_GUARDED_BY(mutex) DSTA_THREAD_ANNOTATION(pt_guarded_by(mutex))
#define DSTA_REQUIRES(...) DSTA_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define DSTA_EXCLUDES(...) DSTA_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define DSTA_ACQUIRE(...) DSTA_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define DSTA_RELEASE(...) DSTA_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define DSTA_TRY_ACQUIRE(...) DSTA_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define DSTA_ASSERT_CAPABILITY(x) DSTA_THREAD_ANNOTATION(assert_capability(x))
#define DSTA_RETURN_CAPABILITY(mutex) DSTA_THREAD_ANNOTATION(lock_returned(mutex))
/// Where the analysis cannot follow: say why beside it.
#define DSTA_NO_THREAD_SAFETY_ANALYSIS DSTA_THREAD_ANNOTATION(no_thread_safety_analysis)
