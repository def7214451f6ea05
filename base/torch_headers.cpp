#include "base/torch_headers.h"
