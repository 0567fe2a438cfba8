#include <dsta/cache/src.hpp>
