#include "model/torch_headers.h"
