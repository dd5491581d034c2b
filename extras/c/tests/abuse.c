/* Everything that a caller can get wrong without pointing to memory that is not its own: a status
 * and a message, outputs as they were, and no crash. Also what is right although it looks wrong. */
#include <decorr/c_api.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { rows = 6, cols = 8, count = rows * cols };

static int failures = 0;

static float a[count], b[count], grad_a[count], grad_b[count], sentinel[count];
static decorr_input in_a, in_b;
static decorr_output out_a, out_b;
static decorr_barlow_twins_options barlow;
static decorr_vicreg_options vicreg;
static decorr_regularizer regularizer;
static decorr_execution execution;
static decorr_barlow_twins_terms terms;
static decorr_barlow_twins_terms sentinel_terms = {sizeof(decorr_barlow_twins_terms), -1, -2, -3};

/* Every test starts from a call that is right. */
static void reset(void) {
  int i;
  for (i = 0; i < count; ++i) {
    a[i] = (float)sin(1.3 * i);
    b[i] = (float)(sin(1.3 * i) + 0.5 * cos(2.1 * i));
    sentinel[i] = 77;
  }
  memcpy(grad_a, sentinel, sizeof grad_a);
  memcpy(grad_b, sentinel, sizeof grad_b);
  in_a = decorr_input_rows(a, DECORR_FLOAT32, rows, cols);
  in_b = decorr_input_rows(b, DECORR_FLOAT32, rows, cols);
  out_a = decorr_output_rows(grad_a, DECORR_FLOAT32, rows, cols);
  out_b = decorr_output_rows(grad_b, DECORR_FLOAT32, rows, cols);
  decorr_barlow_twins_options_defaults(&barlow, sizeof barlow);
  decorr_vicreg_options_defaults(&vicreg, sizeof vicreg);
  decorr_regularizer_defaults(&regularizer, sizeof regularizer);
  regularizer.form = DECORR_RELAXED;
  decorr_execution_defaults(&execution, sizeof execution);
  execution.planning = DECORR_ESTIMATE;
  terms = sentinel_terms;
}

static decorr_status barlow_twins(void) {
  return decorr_barlow_twins_loss(&in_a, &in_b, &out_a, &out_b, &barlow, &regularizer, &execution,
                                  &terms);
}

static decorr_status vicreg_call(void) {
  decorr_vicreg_terms vicreg_terms = {sizeof(decorr_vicreg_terms), 0, 0, 0, 0};
  return decorr_vicreg_loss(&in_a, &in_b, &out_a, &out_b, &vicreg, &regularizer, &execution,
                            &vicreg_terms);
}

static decorr_status variance_covariance(void) {
  decorr_variance_covariance_terms view_terms = {sizeof view_terms, 0, 0, 0};
  return decorr_variance_covariance_loss(&in_a, &out_a, &vicreg, &regularizer, &execution,
                                         &view_terms);
}

static decorr_status r_off(void) {
  double value;
  return decorr_r_off(&in_a, &in_b, &out_a, &out_b, &execution, &value);
}

static decorr_status r_sum(void) {
  double value;
  return decorr_r_sum(&in_a, &in_b, &out_a, &out_b, &regularizer, &execution, &value);
}

static void check(int passed, int line, const char* what) {
  if (passed) return;
  ++failures;
  printf("abuse.c:%d: %s; last message: %s\n", line, what, decorr_error_message());
}
#define CHECK(condition) check((condition), __LINE__, #condition)

static int untouched(void) {
  return memcmp(grad_a, sentinel, sizeof grad_a) == 0 &&
         memcmp(grad_b, sentinel, sizeof grad_b) == 0 &&
         memcmp(&terms, &sentinel_terms, sizeof terms) == 0;
}

static int all_written(const float* gradient) {
  int i;
  for (i = 0; i < count; ++i) {
    if (gradient[i] == 77) return 0;
  }
  return 1;
}

/* The argument stands apart as it stands in the message, after the function; where it is nothing
 * but the thread's fault there is none. */
static int argument_is_the_messages(void) {
  const char* const argument = decorr_error_argument();
  const char* const colon = strstr(decorr_error_message(), ": ");
  if (colon == NULL) return 0;
  if (*argument == '\0') return strncmp(colon, ": this thread ", 14) == 0;
  return strncmp(colon + 2, argument, strlen(argument)) == 0 &&
         strchr(" .[", colon[2 + strlen(argument)]) != NULL;
}

/* Refused for the reason that the message has a part of; then everything is put right again. */
static void check_refused(decorr_status status, const char* part, int line) {
  check(status == DECORR_INVALID_ARGUMENT, line, "expected DECORR_INVALID_ARGUMENT");
  check(strstr(decorr_error_message(), part) != NULL, line, part);
  check(argument_is_the_messages(), line, decorr_error_argument());
  check(untouched(), line, "an output was written");
  reset();
}
#define REFUSED(status, part) check_refused((status), (part), __LINE__)

#define ACCEPTED(status)          \
  do {                            \
    CHECK((status) == DECORR_OK); \
    reset();                      \
  } while (0)

static void test_matrices(void) {
  static const int64_t bad_extents[] = {0, -1, INT64_MIN, INT64_MAX, (int64_t)1 << 31};
  static const size_t bad_sizes[] = {0, 1, sizeof(decorr_input) - 8, sizeof(decorr_input) + 8,
                                     SIZE_MAX};
  static const int64_t bad_strides[] = {INT64_MAX, INT64_MIN, INT64_MAX / 4, INT64_MIN / 4};
  /* what a matrix may reach over: no memory has more */
  const int64_t most_bytes = PTRDIFF_MAX / (sizeof(ptrdiff_t) > 4 ? 8 : 1);
  static const int32_t bad_types[] = {0, 5, -1, INT32_MAX, INT32_MIN};
  size_t i;

  REFUSED(decorr_barlow_twins_loss(NULL, &in_b, &out_a, &out_b, NULL, NULL, NULL, &terms),
          "z_a is null");
  REFUSED(decorr_barlow_twins_loss(&in_a, NULL, &out_a, &out_b, NULL, NULL, NULL, &terms),
          "z_b is null");
  REFUSED(decorr_vicreg_loss(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "z_a is null");
  REFUSED(decorr_variance_covariance_loss(NULL, NULL, NULL, NULL, NULL, NULL), "z is null");
  REFUSED(decorr_r_off(NULL, NULL, NULL, NULL, NULL, NULL), "a is null");
  REFUSED(decorr_r_sum(NULL, NULL, NULL, NULL, NULL, NULL, NULL), "a is null");
  REFUSED(decorr_sumvec(NULL, NULL, NULL, NULL), "a is null");
  in_a.data = NULL;
  REFUSED(barlow_twins(), "z_a.data is null");
  out_b.data = NULL;
  REFUSED(barlow_twins(), "grad_b.data is null");

  for (i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; ++i) {
    in_a.size = bad_sizes[i];
    REFUSED(barlow_twins(), "z_a.size is");
    out_a.size = bad_sizes[i];
    REFUSED(variance_covariance(), "grad.size is");
  }
  for (i = 0; i < sizeof bad_extents / sizeof *bad_extents; ++i) {
    in_a.rows = bad_extents[i];
    REFUSED(barlow_twins(), "z_a is");
    in_b.cols = bad_extents[i];
    REFUSED(r_off(), "b is");
    in_a.rows = in_a.cols = in_b.rows = in_b.cols = bad_extents[i];
    REFUSED(r_sum(), "a is");
    in_a.rows = in_a.cols = in_b.rows = in_b.cols = bad_extents[i];
    in_a.row_stride = in_a.col_stride = in_b.row_stride = in_b.col_stride = 0;
    REFUSED(r_off(), "a is");
    out_a.rows = bad_extents[i];
    REFUSED(vicreg_call(), "grad_a ");
    out_a.cols = bad_extents[i];
    REFUSED(variance_covariance(), "grad ");
  }
  for (i = 0; i < sizeof bad_strides / sizeof *bad_strides; ++i) {
    in_a.row_stride = bad_strides[i];
    REFUSED(barlow_twins(), "which no memory holds");
    in_a.col_stride = bad_strides[i];
    REFUSED(vicreg_call(), "which no memory holds");
    in_a.row_stride = bad_strides[i];
    in_a.col_stride = bad_strides[i] / -2;
    REFUSED(r_off(), "which no memory holds");
    out_b.row_stride = bad_strides[i];
    REFUSED(r_sum(), "which no memory holds");
  }
  in_a.rows = -1;
  REFUSED(barlow_twins(), "z_a is -1 x 8, expected 1 to ");
  in_a.rows = 2; /* the first two rows' bytes are as many as there can be, and an element more */
  in_a.row_stride = most_bytes / (int64_t)sizeof *a - cols;
  REFUSED(barlow_twins(), "z_b has 6 rows, z_a has 2");
  in_a.rows = 2;
  in_a.row_stride = most_bytes / (int64_t)sizeof *a - cols + 1;
  REFUSED(barlow_twins(), "which no memory holds");
  in_a.rows = 5; /* 2^64 bytes from the first row to the last, which 64 bits take for none */
  in_a.row_stride = (int64_t)1 << 60;
  REFUSED(barlow_twins(), "which no memory holds");
  in_a.rows = in_a.cols = INT32_MAX; /* one element, repeated more often than it pays to wait for */
  in_a.row_stride = in_a.col_stride = 0;
  REFUSED(barlow_twins(), "68719476736");
  in_a.rows = INT32_MAX; /* what memory could hold, but not from here downwards */
  in_a.row_stride = -((int64_t)1 << 25);
  REFUSED(barlow_twins(), "ends of memory");
  in_a.data = (const void*)(UINTPTR_MAX - 15); /* nor from there upwards */
  REFUSED(barlow_twins(), "ends of memory");
  for (i = 0; i < sizeof bad_types / sizeof *bad_types; ++i) {
    in_b.type = bad_types[i];
    REFUSED(barlow_twins(), "z_b.type is");
    out_b.type = bad_types[i];
    REFUSED(barlow_twins(), "grad_b.type is");
  }
  in_a.reserved = 1;
  REFUSED(barlow_twins(), "reserved is 1");
  in_a.reserved = -1;
  REFUSED(barlow_twins(), "reserved is -1");

  in_a.data = (const char*)a + 1;
  REFUSED(barlow_twins(), "not aligned");
  out_a.data = (char*)grad_a + 2;
  REFUSED(barlow_twins(), "not aligned");

  in_b.type = DECORR_FLOAT64;
  in_b.rows = 3;
  REFUSED(barlow_twins(), "z_a and z_b differ in type");
  in_b.rows = rows - 1;
  REFUSED(barlow_twins(), "z_b has 5 rows, z_a has 6");
  in_b.cols = cols - 1;
  REFUSED(vicreg_call(), "z_b has 7 columns, z_a has 8");
  out_a.rows = rows - 1;
  REFUSED(barlow_twins(), "grad_a has 5 rows");
  out_b.cols = cols - 1;
  REFUSED(r_sum(), "grad_b has 7 columns");
  in_a.rows = in_b.rows = out_a.rows = out_b.rows = 1;
  REFUSED(barlow_twins(), "expected at least 2");
}

static void test_outputs(void) {
  out_a.row_stride = 0;
  REFUSED(barlow_twins(), "share memory");
  out_b.col_stride = 0;
  REFUSED(barlow_twins(), "share memory");
  out_a.row_stride = out_a.col_stride = 1;
  REFUSED(vicreg_call(), "share memory");
  out_a.row_stride = -1;
  REFUSED(variance_covariance(), "share memory");
  out_a.row_stride = 4; /* element (2, 0) is element (1, 4) */
  REFUSED(r_off(), "share memory");

  out_a.data = out_b.data;
  REFUSED(barlow_twins(), "grad_b overlaps grad_a");
  out_a.data = a;
  REFUSED(barlow_twins(), "grad_a overlaps z_a");
  out_b.data = a;
  REFUSED(r_sum(), "grad_b overlaps a");
  out_a.data = a + count - cols; /* from the last row upwards: all of `a` */
  out_a.row_stride = -cols;
  REFUSED(variance_covariance(), "grad overlaps z");
  in_a.type = in_b.type = DECORR_FLOAT16;
  in_a.data = grad_b;
  REFUSED(barlow_twins(), "grad_b overlaps z_a");

  out_a.type = DECORR_FLOAT64;
  REFUSED(barlow_twins(), "grad_a and z_a differ in type");

  /* One gradient alone is checked as both are, and against both inputs. */
  out_b.rows = rows - 1;
  REFUSED(decorr_barlow_twins_loss(&in_a, &in_b, NULL, &out_b, NULL, NULL, NULL, &terms),
          "grad_b has 5 rows, z_b has 6");
  out_b.type = DECORR_FLOAT64;
  REFUSED(decorr_vicreg_loss(&in_a, &in_b, NULL, &out_b, NULL, NULL, NULL, NULL),
          "grad_b and z_b differ in type");
  out_a.col_stride = 0;
  REFUSED(decorr_r_sum(&in_a, &in_b, &out_a, NULL, NULL, NULL, NULL), "share memory");
  out_a.data = b;
  REFUSED(decorr_r_off(&in_a, &in_b, &out_a, NULL, NULL, NULL), "grad_a overlaps b");
  out_b.data = a;
  REFUSED(decorr_barlow_twins_loss(&in_a, &in_b, NULL, &out_b, NULL, NULL, NULL, &terms),
          "grad_b overlaps z_a");
}

static void test_options(void) {
  static const size_t bad_sizes[] = {0, 8, sizeof(decorr_barlow_twins_options) + 8, SIZE_MAX};
  static int64_t permutation[cols] = {0, 1, 2, 3, 4, 5, 6, 7};
  static int8_t signs[cols] = {1, -1, 1, -1, 1, -1, 1, -1};
  size_t i;
  for (i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; ++i) {
    barlow.size = bad_sizes[i];
    REFUSED(barlow_twins(), "options.size is");
    vicreg.size = bad_sizes[i];
    REFUSED(vicreg_call(), "options.size is");
    regularizer.size = bad_sizes[i];
    REFUSED(barlow_twins(), "regularizer.size is");
    execution.size = bad_sizes[i] + 1;
    REFUSED(r_off(), "execution.size is");
    terms.size = sentinel_terms.size = bad_sizes[i];
    REFUSED(barlow_twins(), "terms.size is");
    sentinel_terms.size = sizeof sentinel_terms;
    reset();
    CHECK(decorr_barlow_twins_options_defaults(&barlow, bad_sizes[i]) == DECORR_INVALID_ARGUMENT);
    CHECK(decorr_execution_defaults(&execution, bad_sizes[i] + 1) == DECORR_INVALID_ARGUMENT);
  }
  REFUSED(decorr_barlow_twins_options_defaults(NULL, sizeof barlow), "options is null");
  REFUSED(decorr_vicreg_options_defaults(NULL, sizeof vicreg), "options is null");
  REFUSED(decorr_regularizer_defaults(NULL, sizeof regularizer), "regularizer is null");
  REFUSED(decorr_execution_defaults(NULL, sizeof execution), "execution is null");

  barlow.epsilon = -1;
  REFUSED(barlow_twins(), "epsilon is -1");
  vicreg.epsilon = NAN;
  REFUSED(vicreg_call(), "epsilon is nan");
  barlow.standardize = 7;
  REFUSED(barlow_twins(), "standardize is 7, expected 0 or 1");
  barlow.reserved = 1;
  REFUSED(barlow_twins(), "reserved is 1");
  vicreg.sum_variance = -1;
  REFUSED(variance_covariance(), "sum_variance is -1");
  vicreg.covariance_scaling = 2;
  REFUSED(vicreg_call(),
          "covariance_scaling is 2, expected DECORR_PER_DIMENSION or DECORR_BLOCK_MEAN");

  regularizer.form = 2;
  REFUSED(barlow_twins(), "form is 2, expected DECORR_EXACT or DECORR_RELAXED");
  regularizer.form = DECORR_EXACT;
  REFUSED(r_sum(), "form is DECORR_EXACT");
  regularizer.exponent = 3;
  REFUSED(barlow_twins(), "exponent is 3");
  regularizer.block_size = -1;
  REFUSED(r_sum(), "block_size is");
  regularizer.block_size = cols + 1;
  REFUSED(r_sum(), "block_size is 9");
  regularizer.block_size = INT64_MAX;
  REFUSED(r_sum(), "block_size is 9223372036854775807");
  regularizer.block_size = INT64_MIN;
  REFUSED(r_sum(), "block_size is");

  regularizer.permutation_size = cols;
  REFUSED(barlow_twins(), "permutation is null");
  regularizer.permutation = permutation;
  REFUSED(barlow_twins(), "permutation has 0 entries, expected 8");
  regularizer.permutation = permutation;
  regularizer.permutation_size = INT64_MAX;
  REFUSED(vicreg_call(), "entries, expected 8");
  permutation[3] = 2;
  regularizer.permutation = permutation;
  regularizer.permutation_size = cols;
  REFUSED(barlow_twins(), "permutation[3] is 2 as permutation[2] is");
  permutation[3] = INT64_MIN;
  regularizer.permutation = permutation;
  regularizer.permutation_size = cols;
  REFUSED(barlow_twins(), "permutation[3] is -");
  permutation[3] = 3;
  regularizer.signs_a_size = -1;
  REFUSED(barlow_twins(), "signs_a is null");
  regularizer.signs_b = signs;
  regularizer.signs_b_size = cols - 1;
  REFUSED(vicreg_call(), "signs_b has 7 entries");
  signs[5] = 0;
  regularizer.signs_a = signs;
  regularizer.signs_a_size = cols;
  REFUSED(r_sum(), "signs_a[5] is 0");

  execution.threads = 0;
  REFUSED(barlow_twins(), "threads is 0");
  execution.threads = INT32_MIN;
  REFUSED(r_off(), "threads is -");
  execution.planning = 3;
  REFUSED(r_sum(), "planning is 3");
  execution.threads = INT32_MAX;
  ACCEPTED(barlow_twins());
}

static const decorr_input* views[3];
static const decorr_output* gradients[3];
static int64_t view_count = 3;
static int32_t combination = DECORR_PAIRS;

/* Views a, b and once more a, without a gradient of its own. */
static void reset_views(void) {
  views[0] = views[2] = &in_a;
  views[1] = &in_b;
  gradients[0] = &out_a;
  gradients[1] = &out_b;
  gradients[2] = NULL;
  view_count = 3;
  combination = DECORR_PAIRS;
}

static decorr_status barlow_twins_of_views(void) {
  const decorr_status status = decorr_barlow_twins_loss_of_views(
      views, gradients, view_count, combination, &barlow, &regularizer, &execution, &terms);
  reset_views();
  return status;
}

static decorr_status vicreg_of_views(void) {
  decorr_vicreg_terms vicreg_terms = {sizeof(decorr_vicreg_terms), 0, 0, 0, 0};
  const decorr_status status = decorr_vicreg_loss_of_views(
      views, gradients, view_count, combination, &vicreg, &regularizer, &execution, &vicreg_terms);
  reset_views();
  return status;
}

static void test_views(void) {
  static const int64_t bad_counts[] = {0, 1, -1, 65537, INT64_MAX, INT64_MIN};
  static const int32_t bad_combinations[] = {2, -1, INT32_MAX, INT32_MIN};
  decorr_status (*const functions[])(void) = {&barlow_twins_of_views, &vicreg_of_views};
  size_t i, f;
  reset_views();
  REFUSED(decorr_barlow_twins_loss_of_views(NULL, NULL, 3, 0, NULL, NULL, NULL, NULL),
          "views is null");
  REFUSED(decorr_vicreg_loss_of_views(NULL, gradients, 3, 0, NULL, NULL, NULL, NULL),
          "views is null");
  for (f = 0; f < 2; ++f) {
    decorr_status (*const function)(void) = functions[f];
    for (i = 0; i < sizeof bad_counts / sizeof *bad_counts; ++i) {
      view_count = bad_counts[i];
      REFUSED(function(), "count is ");
    }
    for (i = 0; i < sizeof bad_combinations / sizeof *bad_combinations; ++i) {
      combination = bad_combinations[i];
      REFUSED(function(), "expected DECORR_PAIRS or DECORR_CENTROID");
    }
    views[1] = NULL;
    REFUSED(function(), "views[1] is null");
    in_b.size = 3;
    REFUSED(function(), "views[1].size is 3");
    in_b.reserved = 1;
    REFUSED(function(), "views[1].reserved is 1");
    in_b.data = NULL;
    REFUSED(function(), "views[1].data is null");
    in_b.type = DECORR_FLOAT64;
    in_b.rows = 3;
    REFUSED(function(), "views[1] and views[0] differ in type");
    in_b.rows = rows - 1;
    REFUSED(function(), "views[1] has 5 rows, views[0] has 6");
    in_b.cols = cols - 1;
    REFUSED(function(), "views[1] has 7 columns, views[0] has 8");
    in_a.rows = in_b.rows = out_a.rows = out_b.rows = 0;
    REFUSED(function(), "views[0] is 0 x 8");
    out_b.cols = cols - 1;
    REFUSED(function(), "gradients[1] has 7 columns, views[1] has 8");
    out_b.data = NULL;
    REFUSED(function(), "gradients[1].data is null");
    out_b.type = 9;
    REFUSED(function(), "gradients[1].type is 9");
    out_b.data = grad_a;
    REFUSED(function(), "gradients[1] overlaps gradients[0]");
    gradients[2] = &out_a;
    REFUSED(function(), "gradients[2] overlaps gradients[0]");
    out_b.data = a;
    REFUSED(function(), "gradients[1] overlaps views[0]");
    out_a.row_stride = 0;
    REFUSED(function(), "gradients[0] has strides 0 and 1");
    execution.threads = 0;
    REFUSED(function(), "threads is 0");
    regularizer.block_size = cols + 1;
    REFUSED(function(), "block_size is 9");
    barlow.epsilon = vicreg.epsilon = -1;
    REFUSED(function(), "epsilon is -1");
    for (i = 0; i < 2; ++i) {
      combination = (int32_t)i;
      CHECK(function() == DECORR_OK);
      CHECK(all_written(grad_a) && all_written(grad_b));
      reset();
    }
  }
  terms.size = 7;
  CHECK(barlow_twins_of_views() == DECORR_INVALID_ARGUMENT);
  reset();

  /* The value alone, and views without a gradient. */
  CHECK(decorr_vicreg_loss_of_views(views, NULL, 2, DECORR_PAIRS, NULL, NULL, NULL, NULL) ==
        DECORR_OK);
  CHECK(memcmp(grad_a, sentinel, sizeof grad_a) == 0);
  gradients[0] = NULL;
  CHECK(barlow_twins_of_views() == DECORR_OK);
  CHECK(memcmp(grad_a, sentinel, sizeof grad_a) == 0 && all_written(grad_b));
  reset();
}

static void test_sumvec(void) {
  float sums[2 * cols];
  decorr_output lags = decorr_output_rows(sums, DECORR_FLOAT32, cols, 1);
  REFUSED(decorr_sumvec(&in_a, &in_b, &execution, NULL), "lags is null");
  ACCEPTED(decorr_sumvec(&in_a, &in_b, &execution, &lags));
  lags.rows = cols - 1;
  REFUSED(decorr_sumvec(&in_a, &in_b, &execution, &lags), "lags is 7 x 1, expected 8 x 1");
  lags = decorr_output_rows(sums, DECORR_FLOAT32, cols, 2);
  REFUSED(decorr_sumvec(&in_a, &in_b, &execution, &lags), "lags is 8 x 2, expected 8 x 1");
  lags = decorr_output_rows(sums, DECORR_FLOAT32, cols, 1);
  lags.data = b;
  REFUSED(decorr_sumvec(&in_a, &in_b, &execution, &lags), "lags overlaps b");
  lags.type = DECORR_FLOAT64;
  REFUSED(decorr_sumvec(&in_a, &in_b, &execution, &lags), "differ in type");
}

static void test_randomization(void) {
  decorr_generator* generator = NULL;
  int64_t permutation[cols];
  int8_t signs_a[cols], signs_b[cols];
  REFUSED(decorr_generator_create(1, NULL), "generator is null");
  CHECK(decorr_generator_create(1, &generator) == DECORR_OK);
  REFUSED(decorr_random_permutation(NULL, cols, permutation), "generator is null");
  REFUSED(decorr_random_permutation(generator, cols, NULL), "permutation is null");
  REFUSED(decorr_random_permutation(generator, 0, permutation), "d is 0, expected 1 to ");
  REFUSED(decorr_random_permutation(generator, INT64_MAX, permutation), "d is 9223372036854775807");
  REFUSED(decorr_random_signs(NULL, cols, signs_a), "generator is null");
  REFUSED(decorr_random_signs(generator, cols, NULL), "signs is null");
  REFUSED(decorr_random_signs(generator, -1, signs_a), "d is -1");

#define PRESET(preset, d, block_size, generator, permutation, a, b)                             \
  decorr_barlow_twins_preset((preset), (d), (block_size), (generator), (permutation), (a), (b), \
                             &barlow, &regularizer)
  REFUSED(PRESET(-1, cols, 0, generator, permutation, signs_a, signs_b), "preset is -1");
  REFUSED(PRESET(DECORR_PRESET_EXACT_SOLO_LEARN, cols, 0, NULL, NULL, NULL, NULL), "preset is 1");
  REFUSED(PRESET(DECORR_PRESET_RELAXED_8192, cols, 0, generator, permutation, NULL, NULL),
          "d is 8, expected 8192");
  REFUSED(PRESET(DECORR_PRESET_RELAXED_2048, 8192, 0, generator, permutation, NULL, NULL),
          "d is 8192, expected 2048");
  REFUSED(PRESET(DECORR_PRESET_EXACT_SOLO_LEARN_2048, 8192, 0, NULL, NULL, NULL, NULL),
          "d is 8192, expected 2048");
  REFUSED(PRESET(DECORR_PRESET_EXACT_SOLO_LEARN_8192, 2048, 0, NULL, NULL, NULL, NULL),
          "d is 2048, expected 8192");
  REFUSED(PRESET(DECORR_PRESET_RELAXED_8192, 8192, 0, generator, NULL, NULL, NULL),
          "permutation is null");
  REFUSED(PRESET(DECORR_PRESET_RANDOM_SIGNS, cols, 0, NULL, NULL, signs_a, signs_b),
          "generator is null");
  REFUSED(PRESET(DECORR_PRESET_RANDOM_SIGNS, cols, 0, generator, NULL, signs_a, NULL),
          "signs_b is null");
  REFUSED(PRESET(DECORR_PRESET_RANDOM_SIGNS, cols, cols + 1, generator, NULL, signs_a, signs_b),
          "block_size is 9");
  REFUSED(PRESET(DECORR_PRESET_RANDOM_SIGNS, cols, -1, generator, NULL, signs_a, signs_b),
          "block_size is -1");
  REFUSED(PRESET(DECORR_PRESET_RANDOM_SIGNS, 0, 0, generator, NULL, signs_a, signs_b), "d is 0");
#define RECOMMENDED(n, d, generator, a, b) \
  decorr_recommended((n), (d), (generator), (a), (b), &regularizer)
  REFUSED(RECOMMENDED(0, cols, generator, signs_a, signs_b), "n is 0");
  REFUSED(RECOMMENDED(5, 0, generator, signs_a, signs_b), "d is 0");
  REFUSED(RECOMMENDED(5, cols, NULL, signs_a, signs_b), "generator is null");
  REFUSED(RECOMMENDED(5, cols, generator, NULL, signs_b), "signs_a is null");
  REFUSED(RECOMMENDED(5, cols, generator, signs_a, NULL), "signs_b is null");
  REFUSED(decorr_recommended(5, cols, generator, signs_a, signs_b, NULL), "regularizer is null");
  barlow.size = 1;
  REFUSED(PRESET(DECORR_PRESET_EXACT, cols, 0, NULL, NULL, NULL, NULL), "options.size is 1");
  REFUSED(decorr_vicreg_preset(DECORR_PRESET_EXACT, cols, 0, NULL, NULL, NULL, NULL, NULL, NULL),
          "options is null");
  CHECK(PRESET(DECORR_PRESET_EXACT, cols, 0, NULL, NULL, NULL, NULL) == DECORR_OK);
  CHECK(regularizer.form == DECORR_EXACT);
  ACCEPTED(barlow_twins());
  CHECK(PRESET(DECORR_PRESET_RANDOM_SIGNS, cols, 4, generator, NULL, signs_a, signs_b) ==
        DECORR_OK);
  CHECK(regularizer.signs_b == signs_b && regularizer.permutation == NULL);
  ACCEPTED(barlow_twins());
  decorr_generator_destroy(generator);
  decorr_generator_destroy(NULL);
}

static void test_process(void) {
  static const int32_t plannings[] = {DECORR_ESTIMATE, DECORR_MEASURE, DECORR_PATIENT};
  const uint64_t beyond_32_bits = (uint64_t)5 << 32;
  uint64_t limit = 0;
  int64_t plans = -1, plans_of_one = 0;
  int i;
  REFUSED(decorr_unlock_planner(), "does not hold the lock");
  CHECK(decorr_lock_planner() == DECORR_OK);
  REFUSED(decorr_lock_planner(), "holds the planner's lock");
  REFUSED(barlow_twins(), "holds the planner's lock");
  REFUSED(variance_covariance(), "holds the planner's lock");
  REFUSED(r_off(), "holds the planner's lock");
  REFUSED(decorr_sumvec(&in_a, &in_b, NULL, &out_a), "holds the planner's lock");
  REFUSED(decorr_clear_plans(), "holds the planner's lock");
  REFUSED(decorr_save_wisdom(DECORR_FLOAT32, "wisdom"), "holds the planner's lock");
  CHECK(decorr_unlock_planner() == DECORR_OK);

  REFUSED(decorr_cached_plans(NULL), "count is null");
  ACCEPTED(barlow_twins());
  CHECK(decorr_cached_plans(&plans) == DECORR_OK && plans > 0);
  CHECK(decorr_clear_plans() == DECORR_OK);
  CHECK(decorr_cached_plans(&plans) == DECORR_OK && plans == 0);
  for (i = 0; i < 3; ++i) { /* no planning is taken for another one */
    execution.planning = plannings[i];
    ACCEPTED(barlow_twins());
    CHECK(decorr_cached_plans(&plans) == DECORR_OK);
    if (i == 0) plans_of_one = plans;
    CHECK(plans_of_one > 0 && plans == (i + 1) * plans_of_one);
  }
  CHECK(decorr_clear_workspaces() == DECORR_OK);
  CHECK(decorr_set_workspace_limit(beyond_32_bits, NULL) == DECORR_OK);
  CHECK(decorr_set_workspace_limit(5, &limit) == DECORR_OK);
  CHECK(limit == (beyond_32_bits < SIZE_MAX ? beyond_32_bits : SIZE_MAX));
  CHECK(decorr_set_workspace_limit((uint64_t)64 << 20, &limit) == DECORR_OK && limit == 5);

  REFUSED(decorr_save_wisdom(DECORR_FLOAT32, NULL), "path is null");
  REFUSED(decorr_load_wisdom(DECORR_FLOAT16, "wisdom"), "type is 3");
  CHECK(decorr_save_wisdom(DECORR_FLOAT32, "/nowhere/wisdom") == DECORR_FAILED);
  CHECK(strstr(decorr_error_message(), "/nowhere/wisdom") != NULL);
  CHECK(strcmp(decorr_error_argument(), "") == 0);
  CHECK(decorr_load_wisdom(DECORR_FLOAT64, "/nowhere/wisdom") == DECORR_FAILED);
  CHECK(strcmp(decorr_status_name(DECORR_FAILED), "failed") == 0);
  CHECK(strcmp(decorr_status_name(-1), "unknown status") == 0);
  CHECK(strcmp(decorr_status_name(INT32_MAX), "unknown status") == 0);
}

/* More memory than this process may have; for a process of its own, with a limit. */
static int run_out_of_memory(void) {
  float x = 1;
  in_a = decorr_input_rows(&x, DECORR_FLOAT32, 1 << 15, 1 << 15);
  in_a.row_stride = in_a.col_stride = 0;
  CHECK(decorr_r_off(&in_a, &in_a, NULL, NULL, NULL, NULL) == DECORR_OUT_OF_MEMORY);
  CHECK(strcmp(decorr_error_message(), "r_off: out of memory") == 0);
  CHECK(strcmp(decorr_error_argument(), "") == 0);
  return failures == 0 ? 0 : 1;
}

/* What is right although it looks wrong. */
static void test_accepted(void) {
  double value = 0, broadcast = 0;
  char misaligned[sizeof in_a + 1], misaligned_terms[sizeof terms + 1];
  float row[cols], repeated[count];
  int i;
  CHECK(decorr_barlow_twins_loss(&in_a, &in_b, NULL, NULL, NULL, NULL, NULL, &terms) == DECORR_OK);
  value = terms.value;
  CHECK(value > 0 && fabs(terms.diagonal + terms.off_diagonal - value) < 1e-6 * value);
  CHECK(decorr_barlow_twins_loss(&in_a, &in_b, &out_a, &out_b, NULL, NULL, NULL, &terms) ==
        DECORR_OK);
  CHECK(terms.value == value && grad_a[0] != 77 && grad_b[count - 1] != 77);
  reset();
  ACCEPTED(decorr_barlow_twins_loss(&in_a, &in_b, &out_a, &out_b, NULL, NULL, NULL, NULL));
  ACCEPTED(decorr_variance_covariance_loss(&in_a, NULL, NULL, NULL, NULL, NULL));
  ACCEPTED(decorr_r_sum(&in_a, &in_b, NULL, NULL, NULL, &execution, NULL));
  ACCEPTED(vicreg_call());
  ACCEPTED(variance_covariance());
  ACCEPTED(r_off());
  ACCEPTED(r_sum());

  /* The gradient of one view alone. */
  CHECK(decorr_barlow_twins_loss(&in_a, &in_b, &out_a, NULL, NULL, NULL, NULL, &terms) ==
        DECORR_OK);
  CHECK(terms.value == value && all_written(grad_a));
  CHECK(memcmp(grad_b, sentinel, sizeof grad_b) == 0);
  reset();
  CHECK(decorr_barlow_twins_loss(&in_a, &in_b, NULL, &out_b, NULL, NULL, NULL, &terms) ==
        DECORR_OK);
  CHECK(terms.value == value && all_written(grad_b));
  CHECK(memcmp(grad_a, sentinel, sizeof grad_a) == 0);
  reset();
  CHECK(decorr_vicreg_loss(&in_a, &in_b, NULL, &out_b, &vicreg, NULL, NULL, NULL) == DECORR_OK);
  CHECK(all_written(grad_b) && memcmp(grad_a, sentinel, sizeof grad_a) == 0);
  reset();
  CHECK(decorr_r_off(&in_a, &in_b, &out_a, NULL, NULL, NULL) == DECORR_OK);
  CHECK(all_written(grad_a) && memcmp(grad_b, sentinel, sizeof grad_b) == 0);
  reset();
  CHECK(decorr_r_sum(&in_a, &in_b, NULL, &out_b, &regularizer, &execution, NULL) == DECORR_OK);
  CHECK(all_written(grad_b) && memcmp(grad_a, sentinel, sizeof grad_a) == 0);
  reset();

  /* Structs wherever they lie. */
  memcpy(misaligned + 1, &in_a, sizeof in_a);
  memcpy(misaligned_terms + 1, &terms, sizeof terms);
  CHECK(decorr_barlow_twins_loss(
            (const decorr_input*)(const void*)(misaligned + 1), &in_b, NULL, NULL, NULL, NULL, NULL,
            (decorr_barlow_twins_terms*)(void*)(misaligned_terms + 1)) == DECORR_OK);
  memcpy(&terms, misaligned_terms + 1, sizeof terms);
  CHECK(terms.value == value);
  reset();

  /* A row repeated by a stride of zero. */
  memcpy(row, a, sizeof row);
  for (i = 0; i < rows; ++i) memcpy(repeated + i * cols, row, sizeof row);
  in_a.data = repeated;
  CHECK(decorr_r_off(&in_a, &in_b, NULL, NULL, NULL, &value) == DECORR_OK);
  in_a.data = row;
  in_a.row_stride = 0;
  CHECK(decorr_r_off(&in_a, &in_b, NULL, NULL, NULL, &broadcast) == DECORR_OK);
  CHECK(value == broadcast);
  reset();

  /* The stride of an extent of one is anybody's guess. */
  in_a.rows = in_b.rows = out_a.rows = out_b.rows = 1;
  in_a.row_stride = INT64_MIN;
  out_a.row_stride = 0;
  ACCEPTED(r_off());
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "out_of_memory") == 0) return run_out_of_memory();
  CHECK(strcmp(decorr_error_message(), "") == 0);
  CHECK(strcmp(decorr_error_argument(), "") == 0);
  reset();
  test_matrices();
  test_outputs();
  test_options();
  test_views();
  test_sumvec();
  test_randomization();
  test_process();
  test_accepted();
  printf("decorr %s, %s: %d failed\n", decorr_version(), decorr_cpu(), failures);
  return failures == 0 ? 0 : 1;
}
