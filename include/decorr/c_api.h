#ifndef DECORR_C_API_H_
#define DECORR_C_API_H_

// Names are C's, and so is the language.
// NOLINTBEGIN(readability-identifier-naming,modernize-use-using,modernize-deprecated-headers,modernize-redundant-void-arg)

#include <stddef.h>
#include <stdint.h>

/// @file
/// decorr for C, and for every language that calls C: the functions of libdecorr, C99.
///
/// Matrices are pointers with an element type, rows, columns and both strides, so that arrays of
/// NumPy, PyTorch, Julia and Rust are read and written in place. What is computed, from which
/// source, at what cost, stands with the C++ function of the same name (losses.hpp,
/// regularizers.hpp, presets.hpp, ...); here is what C adds.
///
/// Status. Every function that can fail returns a decorr_status; no exception leaves the library.
/// On anything but DECORR_OK outputs are untouched, and decorr_error_message() says what was wrong:
/// function, argument, what it is and what is expected. decorr_error_argument() is the argument's
/// name alone. (One exception: where several processes compute a standardized Barlow Twins and its
/// last `sum` fails, the gradients are lost.)
///
/// Structs. The first field, size, is sizeof of the struct as the caller was compiled; the
/// ..._defaults functions set it. A later library knows the sizes of earlier ones and takes its
/// defaults for fields that the caller does not have; a size that it does not know is an error.
/// Fields named reserved are 0.
///
/// Optional arguments. NULL for options, regularizer or execution means the defaults. NULL for a
/// gradient leaves that view without one, as a teacher's, and what is computed for it alone is not
/// paid for (losses.hpp): NULL for all of them means the value alone, NULL for the terms the
/// gradients alone.
///
/// Threads. Every function may be called from several threads at once, on one generator from one
/// thread at a time.
///
/// Processor. The library holds its loops for several kinds of x86-64 processors (baseline, AVX2
/// with FMA, AVX-512) and takes the best one that this processor has. The environment variable
/// DECORR_CPU=baseline, avx2 or avx512, read at the first call, asks for another; one that the
/// processor or the library lacks is passed over. They differ in rounding only.

#if defined(_WIN32) && defined(DECORR_C_BUILDING)
#define DECORR_C_FUNCTION __declspec(dllexport)
#elif defined(_WIN32)
#define DECORR_C_FUNCTION __declspec(dllimport)
#elif defined(__GNUC__)
#define DECORR_C_FUNCTION __attribute__((visibility("default")))
#else
#define DECORR_C_FUNCTION
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// How a call ended. Fixed width, as all types here, so that other languages can declare it.
typedef int32_t decorr_status;
enum {
  DECORR_OK = 0,
  DECORR_INVALID_ARGUMENT = 1,  ///< The caller's mistake; the message says which.
  DECORR_OUT_OF_MEMORY = 2,
  DECORR_FAILED = 3,     ///< FFTW made no plan, a file could not be read or written, or sum failed.
  DECORR_INTERNAL = 4,   ///< A bug of decorr's.
  DECORR_COLLECTIVE = 5  ///< Another process has failed, or the processes' settings differ.
};

/// The message of the last call on this thread that failed, in memory of the thread's own that its
/// next failing call overwrites; "" if none has. Calls that succeed leave it. Never NULL.
DECORR_C_FUNCTION const char* decorr_error_message(void);

/// The name of the argument, or of the field of a struct, that was wrong in the call that
/// decorr_error_message() is of: "z_b" or "epsilon", as it is called here. The message is then
/// function, ": ", this name, and what is said of it, so that another language can put a name of
/// its own in that place. "" if it was no argument's fault. In memory as that of the message, at
/// most 31 characters. Never NULL.
DECORR_C_FUNCTION const char* decorr_error_argument(void);

/// The name of a status, "invalid argument" for instance; "unknown status" for any other number.
DECORR_C_FUNCTION const char* decorr_status_name(decorr_status status);

/// The library's version, "major.minor.patch"; that of the headers is in version.hpp.
DECORR_C_FUNCTION const char* decorr_version(void);

/// Which loops the calls run: "baseline", "avx2" or "avx512".
DECORR_C_FUNCTION const char* decorr_cpu(void);

/// 1 if the library was compiled with OpenMP, else 0: threads are then of no effect.
DECORR_C_FUNCTION int32_t decorr_has_threads(void);

// ---- Matrices

/// Element types. 16-bit types are computed in float. Zero is none of them.
enum {
  DECORR_FLOAT32 = 1,
  DECORR_FLOAT64 = 2,
  DECORR_FLOAT16 = 3,  ///< IEEE 754 binary16
  DECORR_BFLOAT16 = 4
};

/// A matrix that is read: element (i, j) is data[i * row_stride + j * col_stride], strides in
/// elements. Row-major is (d, 1), column-major (1, n).
///
/// data is aligned as its element type asks. rows and cols are 1 to 2^31 - 1, rows * cols is at
/// most 2^36; a process of several, and a part of a batch, may have no rows, and then no data.
/// Strides may be negative, data being element (0, 0), and zero, which repeats a row or column.
/// That of an extent of 1 does not count. Whether the memory is there cannot be checked.
typedef struct decorr_input {
  size_t size;
  const void* data;
  int32_t type;
  int32_t reserved;
  int64_t rows, cols, row_stride, col_stride;
} decorr_input;

/// The same for a matrix that is written. No two elements may share memory, so zero strides are an
/// error; nor may it overlap an input or another output. Matrices that lie between each other's
/// elements are apart if their strides agree in bytes, whatever the sign, and count as overlapping
/// if not. The type is that of the inputs, or a 16-bit one where these are computed in float.
typedef struct decorr_output {
  size_t size;
  void* data;
  int32_t type;
  int32_t reserved;
  int64_t rows, cols, row_stride, col_stride;
} decorr_output;

/// A contiguous row-major input.
static inline decorr_input decorr_input_rows(const void* data, int32_t type, int64_t rows,
                                             int64_t cols) {
  decorr_input matrix = {sizeof(decorr_input), data, type, 0, rows, cols, cols, 1};
  return matrix;
}

/// A contiguous row-major output.
static inline decorr_output decorr_output_rows(void* data, int32_t type, int64_t rows,
                                               int64_t cols) {
  decorr_output matrix = {sizeof(decorr_output), data, type, 0, rows, cols, cols, 1};
  return matrix;
}

// ---- Options

/// loss = scale * ( sum_i (1 - C_ii)^2 + lambda * R(C) ). Defaults: facebookresearch/barlowtwins.
typedef struct decorr_barlow_twins_options {
  size_t size;
  double lambda;        ///< 0.0051, for the exact regularizer
  double scale;         ///< 1
  double epsilon;       ///< 1e-5, at least 0; added to the biased variance under the root
  int32_t standardize;  ///< 1; 0 takes the inputs as they are
  int32_t reserved;
} decorr_barlow_twins_options;

/// How VICReg's covariance term is scaled, see CovarianceScaling in options.hpp.
enum { DECORR_PER_DIMENSION = 0, DECORR_BLOCK_MEAN = 1 };

/// loss = scale * ( invariance * mean((A-B)^2) + variance * V + covariance * (R(K_A) + R(K_B)) / d
/// ). Defaults: facebookresearch/vicreg.
typedef struct decorr_vicreg_options {
  size_t size;
  double invariance, variance, covariance;  ///< 25, 25, 1
  double gamma;                             ///< 1; the hinge of V
  double epsilon;                           ///< 1e-4, at least 0; added to the unbiased variance
  double scale;                             ///< 1
  int32_t sum_variance;                     ///< 0; 1: V = V_a + V_b instead of their average
  int32_t covariance_scaling;               ///< DECORR_PER_DIMENSION
} decorr_vicreg_options;

enum {
  DECORR_EXACT = 0,   ///< R_off; the fields below form are not used
  DECORR_RELAXED = 1  ///< R_sum and its grouped form
};

/// The regularizer R, see Exact and Relaxed in options.hpp. Weights do not carry over between the
/// forms: see the presets.
///
/// The arrays are the caller's and are read during a call. NULL with size 0: none. Otherwise the
/// size is d. The permutation has 0 to d-1 once each, the signs are +1 and -1.
typedef struct decorr_regularizer {
  size_t size;
  int32_t form;        ///< DECORR_EXACT
  int32_t exponent;    ///< 2; or 1
  int64_t block_size;  ///< 0: a single block; else 1 to d features a block
  const int64_t* permutation;
  int64_t permutation_size;
  const int8_t* signs_a;
  int64_t signs_a_size;
  const int8_t* signs_b;
  int64_t signs_b_size;
} decorr_regularizer;

/// How long FFTW searches for its plans at the first call for a length, see Planning in
/// options.hpp. Only with DECORR_ESTIMATE do results repeat bit for bit from run to run.
enum { DECORR_ESTIMATE = 0, DECORR_MEASURE = 1, DECORR_PATIENT = 2 };

/// Replaces each of `count` numbers by its sum over all processes, the same on each of them bit for
/// bit, and returns 0, or anything else where that has failed. `context` is the caller's own.
typedef int (*decorr_sum)(void* context, double* numbers, size_t count);

/// How a call is carried out, and with whom.
///
/// With `sum` the processes that it sums over hold the batch together: all of them make the call,
/// with the same settings and each with its own rows, perhaps none. Values are then those of the
/// whole batch, gradients those of its loss by this process's rows: a trainer that averages
/// gradients over P processes multiplies them by P (docs/distributed.md, the factor P). No process
/// waits for one whose call has failed: all calls fail, those of the others with DECORR_COLLECTIVE,
/// unless it is the execution's size, or a null batch, that is wrong. 0.1 has no `sum`, and its
/// struct is accepted.
typedef struct decorr_execution {
  size_t size;
  int32_t threads;  ///< 1; at least 1, of which 1024 are used. Results are the same for any number.
  int32_t planning;  ///< DECORR_MEASURE
  decorr_sum sum;    ///< NULL: this process has the whole batch
  void* context;     ///< NULL
} decorr_execution;

/// Set every field to its default, and size. `size` is sizeof of the caller's struct.
///
///     decorr_vicreg_options options;
///     decorr_vicreg_options_defaults(&options, sizeof options);
DECORR_C_FUNCTION decorr_status
decorr_barlow_twins_options_defaults(decorr_barlow_twins_options* options, size_t size);
DECORR_C_FUNCTION decorr_status decorr_vicreg_options_defaults(decorr_vicreg_options* options,
                                                               size_t size);
DECORR_C_FUNCTION decorr_status decorr_regularizer_defaults(decorr_regularizer* regularizer,
                                                            size_t size);
DECORR_C_FUNCTION decorr_status decorr_execution_defaults(decorr_execution* execution, size_t size);

// ---- Losses

/// The weighted terms of a loss; value is their sum. The caller sets size. Computed in the inputs'
/// scalar, float or double.
typedef struct decorr_barlow_twins_terms {
  size_t size;
  double value, diagonal, off_diagonal;
} decorr_barlow_twins_terms;

typedef struct decorr_vicreg_terms {
  size_t size;
  double value, invariance, variance, covariance;
} decorr_vicreg_terms;

typedef struct decorr_variance_covariance_terms {
  size_t size;
  double value, variance, covariance;
} decorr_variance_covariance_terms;

/// Barlow Twins on raw embeddings, n x d each, and its gradients with respect to them:
/// barlow_twins_loss of losses.hpp. NULL for the gradient of a view that needs none.
DECORR_C_FUNCTION decorr_status decorr_barlow_twins_loss(
    const decorr_input* z_a, const decorr_input* z_b, const decorr_output* grad_a,
    const decorr_output* grad_b, const decorr_barlow_twins_options* options,
    const decorr_regularizer* regularizer, const decorr_execution* execution,
    decorr_barlow_twins_terms* terms);

/// VICReg, in the same way: vicreg_loss of losses.hpp.
DECORR_C_FUNCTION decorr_status decorr_vicreg_loss(const decorr_input* z_a, const decorr_input* z_b,
                                                   const decorr_output* grad_a,
                                                   const decorr_output* grad_b,
                                                   const decorr_vicreg_options* options,
                                                   const decorr_regularizer* regularizer,
                                                   const decorr_execution* execution,
                                                   decorr_vicreg_terms* terms);

/// Variance and covariance of one view: variance_covariance_loss of losses.hpp. With a relaxed
/// regularizer, signs_a are the view's.
DECORR_C_FUNCTION decorr_status decorr_variance_covariance_loss(
    const decorr_input* z, const decorr_output* grad, const decorr_vicreg_options* options,
    const decorr_regularizer* regularizer, const decorr_execution* execution,
    decorr_variance_covariance_terms* terms);

// ---- Losses of several views, as of multi-crop training

/// What a loss of several views is, see ViewCombination in options.hpp.
enum {
  DECORR_PAIRS = 0,    ///< the sum of the two-view loss over all pairs of views
  DECORR_CENTROID = 1  ///< each view against the mean of all views
};

/// Barlow Twins of `count` views, n x d each, with the same samples in their rows, and its
/// gradients with respect to them: barlow_twins_loss_of_views of views.hpp.
///
/// `views` are count pointers, 2 to 65536. `gradients` are as many, NULL for a view that needs
/// none, or NULL, for the value alone. Messages name views[2] and gradients[2].
DECORR_C_FUNCTION decorr_status decorr_barlow_twins_loss_of_views(
    const decorr_input* const* views, const decorr_output* const* gradients, int64_t count,
    int32_t combination, const decorr_barlow_twins_options* options,
    const decorr_regularizer* regularizer, const decorr_execution* execution,
    decorr_barlow_twins_terms* terms);

/// VICReg, in the same way: vicreg_loss_of_views of views.hpp.
DECORR_C_FUNCTION decorr_status decorr_vicreg_loss_of_views(const decorr_input* const* views,
                                                            const decorr_output* const* gradients,
                                                            int64_t count, int32_t combination,
                                                            const decorr_vicreg_options* options,
                                                            const decorr_regularizer* regularizer,
                                                            const decorr_execution* execution,
                                                            decorr_vicreg_terms* terms);

// ---- The regularizers alone, on C = A^T B / n: nothing is centred or scaled (regularizers.hpp)

/// R_off(C) = sum over i != j of C_ij^2, and its gradients.
DECORR_C_FUNCTION decorr_status decorr_r_off(const decorr_input* a, const decorr_input* b,
                                             const decorr_output* grad_a,
                                             const decorr_output* grad_b,
                                             const decorr_execution* execution, double* value);

/// R_sum(C) = sum over lags i = 1 .. d-1 of |sumvec(C)_i|^q, or its grouped form, and its
/// gradients. `relaxed` has the form DECORR_RELAXED; NULL means that form's defaults.
DECORR_C_FUNCTION decorr_status decorr_r_sum(const decorr_input* a, const decorr_input* b,
                                             const decorr_output* grad_a,
                                             const decorr_output* grad_b,
                                             const decorr_regularizer* relaxed,
                                             const decorr_execution* execution, double* value);

/// sumvec(C)_i = sum over j of C_{j, (j+i) mod d} into `lags`, d x 1.
DECORR_C_FUNCTION decorr_status decorr_sumvec(const decorr_input* a, const decorr_input* b,
                                              const decorr_execution* execution,
                                              const decorr_output* lags);

// ---- Batches in parts: the classes of batches.hpp, where the passes are explained
//
//   decorr_batch* batch;
//   decorr_barlow_twins_batch_create(DECORR_FLOAT32, d, DECORR_GRADIENT_BOTH, NULL, NULL, NULL,
//                                    &batch);
//   while (decorr_batch_has_pass(batch)) {
//     for (i = 0; i < parts; ++i) decorr_batch_add(batch, &z_a[i], &z_b[i]);
//     decorr_batch_end_pass(batch);
//   }
//   decorr_barlow_twins_batch_loss(batch, &terms);
//   for (i = 0; i < parts; ++i)
//     decorr_batch_gradient(batch, &z_a[i], &z_b[i], &grad_a[i], &grad_b[i]);
//   decorr_batch_destroy(batch);

/// A batch whose rows arrive in parts, of any of the functions above.
typedef struct decorr_batch decorr_batch;

/// Which gradients will be asked for. Those that are not cost nothing, and without any of them
/// there are fewer passes.
enum {
  DECORR_GRADIENT_NONE = 0,
  DECORR_GRADIENT_A = 1,
  DECORR_GRADIENT_B = 2,
  DECORR_GRADIENT_BOTH = 3
};

/// Make a batch of d features, to be freed with decorr_batch_destroy. `type` is that of the parts:
/// a 16-bit one is as DECORR_FLOAT32. `gradients` is one of DECORR_GRADIENT_...; of one view, NONE
/// or A. The regularizer is copied. With the execution's `sum` what is wrong is told by
/// decorr_batch_end_pass, on all processes, and not here; but where there is no memory for a batch
/// that could tell it, `sum` is called here, and end_pass of the others hears of it.
DECORR_C_FUNCTION decorr_status decorr_barlow_twins_batch_create(
    int32_t type, int64_t d, int32_t gradients, const decorr_barlow_twins_options* options,
    const decorr_regularizer* regularizer, const decorr_execution* execution, decorr_batch** batch);
DECORR_C_FUNCTION decorr_status decorr_vicreg_batch_create(
    int32_t type, int64_t d, int32_t gradients, const decorr_vicreg_options* options,
    const decorr_regularizer* regularizer, const decorr_execution* execution, decorr_batch** batch);
DECORR_C_FUNCTION decorr_status decorr_variance_covariance_batch_create(
    int32_t type, int64_t d, int32_t gradients, const decorr_vicreg_options* options,
    const decorr_regularizer* regularizer, const decorr_execution* execution, decorr_batch** batch);
DECORR_C_FUNCTION decorr_status decorr_r_off_batch_create(int32_t type, int64_t d,
                                                          int32_t gradients,
                                                          const decorr_execution* execution,
                                                          decorr_batch** batch);
DECORR_C_FUNCTION decorr_status decorr_r_sum_batch_create(int32_t type, int64_t d,
                                                          int32_t gradients,
                                                          const decorr_regularizer* relaxed,
                                                          const decorr_execution* execution,
                                                          decorr_batch** batch);
DECORR_C_FUNCTION decorr_status decorr_sumvec_batch_create(int32_t type, int64_t d,
                                                           const decorr_execution* execution,
                                                           decorr_batch** batch);

/// Frees a batch; NULL is fine.
DECORR_C_FUNCTION void decorr_batch_destroy(decorr_batch* batch);

/// 1 if all rows are to be added (once more), else 0, as for NULL.
DECORR_C_FUNCTION int32_t decorr_batch_has_pass(const decorr_batch* batch);

/// Adds rows of the pass, of any number and order; the rows of all passes together are the same
/// ones. z_b is NULL for a batch of one view.
DECORR_C_FUNCTION decorr_status decorr_batch_add(decorr_batch* batch, const decorr_input* z_a,
                                                 const decorr_input* z_b);

/// After the last rows of a pass; with the execution's `sum` all processes call it.
DECORR_C_FUNCTION decorr_status decorr_batch_end_pass(decorr_batch* batch);

/// The rows of the batch, of all processes; after the first pass.
DECORR_C_FUNCTION decorr_status decorr_batch_count(const decorr_batch* batch, int64_t* count);

/// The result, after the passes, any number of times: of the function that the batch was made for.
DECORR_C_FUNCTION decorr_status decorr_barlow_twins_batch_loss(const decorr_batch* batch,
                                                               decorr_barlow_twins_terms* terms);
DECORR_C_FUNCTION decorr_status decorr_vicreg_batch_loss(const decorr_batch* batch,
                                                         decorr_vicreg_terms* terms);
DECORR_C_FUNCTION decorr_status decorr_variance_covariance_batch_loss(
    const decorr_batch* batch, decorr_variance_covariance_terms* terms);
/// Of r_off and r_sum.
DECORR_C_FUNCTION decorr_status decorr_regularizer_batch_value(const decorr_batch* batch,
                                                               double* value);
DECORR_C_FUNCTION decorr_status decorr_sumvec_batch_lags(const decorr_batch* batch,
                                                         const decorr_output* lags);

/// After all passes: of some rows, the whole batch's loss by them, of the views that were asked
/// for.
DECORR_C_FUNCTION decorr_status decorr_batch_gradient(decorr_batch* batch, const decorr_input* z_a,
                                                      const decorr_input* z_b,
                                                      const decorr_output* grad_a,
                                                      const decorr_output* grad_b);

// ---- Randomization

/// A random generator, 64-bit Mersenne Twister (std::mt19937_64): a seed gives the same numbers on
/// every platform, those of the C++ functions with that generator.
typedef struct decorr_generator decorr_generator;

/// Makes a generator. To be freed with decorr_generator_destroy.
DECORR_C_FUNCTION decorr_status decorr_generator_create(uint64_t seed,
                                                        decorr_generator** generator);

/// Frees a generator; NULL is fine.
DECORR_C_FUNCTION void decorr_generator_destroy(decorr_generator* generator);

/// Draws a uniformly random permutation of 0 .. d-1 into an array of d: random_permutation of
/// randomization.hpp. d is 1 to 2^31 - 1. Draw one for every batch.
DECORR_C_FUNCTION decorr_status decorr_random_permutation(decorr_generator* generator, int64_t d,
                                                          int64_t* permutation);

/// Draws d random signs, +1 or -1, into an array of d: random_signs of randomization.hpp. Draw both
/// views' signs anew, one after the other, for every batch.
DECORR_C_FUNCTION decorr_status decorr_random_signs(decorr_generator* generator, int64_t d,
                                                    int8_t* signs);

// ---- Presets

/// Published settings, see presets.hpp for the source of each. What they draw, and the d they are
/// for:
enum {
  DECORR_PRESET_EXACT = 0,                  ///< nothing; any d
  DECORR_PRESET_EXACT_SOLO_LEARN = 1,       ///< nothing; any d; VICReg alone
  DECORR_PRESET_EXACT_SOLO_LEARN_2048 = 2,  ///< nothing; 2048; Barlow Twins alone
  DECORR_PRESET_EXACT_SOLO_LEARN_8192 = 3,  ///< nothing; 8192; Barlow Twins alone
  DECORR_PRESET_RELAXED_2048 = 4,           ///< a permutation; 2048
  DECORR_PRESET_RELAXED_8192 = 5,           ///< a permutation; 8192
  DECORR_PRESET_RANDOM_SIGNS = 6            ///< signs_a, then signs_b; any d
};

/// Sets options and regularizer, sizes included, to a preset for d features and blocks of
/// `block_size` (0: a single block; ignored for exact ones). What the preset draws is drawn from
/// `generator` into the caller's arrays of d, to which the regularizer then points; the others may
/// be NULL, and so may the generator where nothing is drawn. Call it anew for every batch.
/// `options` and `regularizer` have their size set.
DECORR_C_FUNCTION decorr_status decorr_barlow_twins_preset(
    int32_t preset, int64_t d, int64_t block_size, decorr_generator* generator,
    int64_t* permutation, int8_t* signs_a, int8_t* signs_b, decorr_barlow_twins_options* options,
    decorr_regularizer* regularizer);
DECORR_C_FUNCTION decorr_status decorr_vicreg_preset(int32_t preset, int64_t d, int64_t block_size,
                                                     decorr_generator* generator,
                                                     int64_t* permutation, int8_t* signs_a,
                                                     int8_t* signs_b,
                                                     decorr_vicreg_options* options,
                                                     decorr_regularizer* regularizer);

/// Sets the regularizer, size included, to the form that we recommend for a batch of n samples with
/// d features, for every loss with its default options: presets::recommended of presets.hpp, exact
/// or relaxed with random signs in blocks. The signs are drawn from `generator` into the caller's
/// arrays of d, to which the regularizer then points; exact draws nothing, and leaves them as they
/// are. None may be NULL. Call it anew for every batch. `regularizer` has its size set.
DECORR_C_FUNCTION decorr_status decorr_recommended(int64_t n, int64_t d,
                                                   decorr_generator* generator, int8_t* signs_a,
                                                   int8_t* signs_b,
                                                   decorr_regularizer* regularizer);

// ---- Plans and memory (plans.hpp)

/// Take and give back the lock that the library holds around FFTW's planner, which is not
/// thread-safe: for your own calls of it while other threads may be in decorr.
///
/// A program that also uses decorr's C++ headers has a second such lock, as the library exports
/// nothing but these functions: let it hold this one around calls through the headers that may
/// plan. The thread that takes the lock gives it back, and meanwhile calls nothing else here: calls
/// that would wait for the lock fail with DECORR_INVALID_ARGUMENT instead, as does giving back a
/// lock that is not held.
DECORR_C_FUNCTION decorr_status decorr_lock_planner(void);
DECORR_C_FUNCTION decorr_status decorr_unlock_planner(void);

/// Empties the library's cache of FFT plans. To be called before fftw_cleanup(), which leaves all
/// plans undefined (docs/c.md, Together with others in a process).
DECORR_C_FUNCTION decorr_status decorr_clear_plans(void);

/// The number of FFT plans in the cache, 0 to 64.
DECORR_C_FUNCTION decorr_status decorr_cached_plans(int64_t* count);

/// Frees the workspaces kept between calls.
DECORR_C_FUNCTION decorr_status decorr_clear_workspaces(void);

/// How many bytes of workspace are kept between calls at most, 64 MiB unless told otherwise. What
/// it was goes to `before`, which may be NULL.
DECORR_C_FUNCTION decorr_status decorr_set_workspace_limit(uint64_t bytes, uint64_t* before);

/// Writes FFTW's wisdom for DECORR_FLOAT32 or DECORR_FLOAT64 to a file, or adds that of a file.
DECORR_C_FUNCTION decorr_status decorr_save_wisdom(int32_t type, const char* path);
DECORR_C_FUNCTION decorr_status decorr_load_wisdom(int32_t type, const char* path);

#ifdef __cplusplus
}
#endif

// NOLINTEND(readability-identifier-naming,modernize-use-using,modernize-deprecated-headers,modernize-redundant-void-arg)

#endif  // DECORR_C_API_H_
