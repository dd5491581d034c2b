// Prints the structs and constants of c_api.h as the compiler sees them, for test_interface.py.

#include <decorr/c_api.h>
#include <stddef.h>
#include <stdio.h>

#define STRUCT(name) printf("struct " #name " %zu\n", sizeof(decorr_##name))
#define FIELD(name, field)                                                       \
  printf("field " #name " " #field " %zu %zu\n", offsetof(decorr_##name, field), \
         sizeof(((decorr_##name*)0)->field))
#define CONSTANT(name) printf("constant " #name " %d\n", (int)DECORR_##name)

#define MATRIX(name)       \
  STRUCT(name);            \
  FIELD(name, size);       \
  FIELD(name, data);       \
  FIELD(name, type);       \
  FIELD(name, reserved);   \
  FIELD(name, rows);       \
  FIELD(name, cols);       \
  FIELD(name, row_stride); \
  FIELD(name, col_stride)

int main(void) {
  MATRIX(input);
  MATRIX(output);
  STRUCT(barlow_twins_options);
  FIELD(barlow_twins_options, size);
  FIELD(barlow_twins_options, lambda);
  FIELD(barlow_twins_options, scale);
  FIELD(barlow_twins_options, epsilon);
  FIELD(barlow_twins_options, standardize);
  FIELD(barlow_twins_options, reserved);
  STRUCT(vicreg_options);
  FIELD(vicreg_options, size);
  FIELD(vicreg_options, invariance);
  FIELD(vicreg_options, variance);
  FIELD(vicreg_options, covariance);
  FIELD(vicreg_options, gamma);
  FIELD(vicreg_options, epsilon);
  FIELD(vicreg_options, scale);
  FIELD(vicreg_options, sum_variance);
  FIELD(vicreg_options, covariance_scaling);
  STRUCT(regularizer);
  FIELD(regularizer, size);
  FIELD(regularizer, form);
  FIELD(regularizer, exponent);
  FIELD(regularizer, block_size);
  FIELD(regularizer, permutation);
  FIELD(regularizer, permutation_size);
  FIELD(regularizer, signs_a);
  FIELD(regularizer, signs_a_size);
  FIELD(regularizer, signs_b);
  FIELD(regularizer, signs_b_size);
  STRUCT(execution);
  FIELD(execution, size);
  FIELD(execution, threads);
  FIELD(execution, planning);
  FIELD(execution, sum);
  FIELD(execution, context);
  STRUCT(barlow_twins_terms);
  FIELD(barlow_twins_terms, size);
  FIELD(barlow_twins_terms, value);
  FIELD(barlow_twins_terms, diagonal);
  FIELD(barlow_twins_terms, off_diagonal);
  STRUCT(vicreg_terms);
  FIELD(vicreg_terms, size);
  FIELD(vicreg_terms, value);
  FIELD(vicreg_terms, invariance);
  FIELD(vicreg_terms, variance);
  FIELD(vicreg_terms, covariance);
  STRUCT(variance_covariance_terms);
  FIELD(variance_covariance_terms, size);
  FIELD(variance_covariance_terms, value);
  FIELD(variance_covariance_terms, variance);
  FIELD(variance_covariance_terms, covariance);
  CONSTANT(OK);
  CONSTANT(INVALID_ARGUMENT);
  CONSTANT(OUT_OF_MEMORY);
  CONSTANT(FAILED);
  CONSTANT(INTERNAL);
  CONSTANT(COLLECTIVE);
  CONSTANT(FLOAT32);
  CONSTANT(FLOAT64);
  CONSTANT(FLOAT16);
  CONSTANT(BFLOAT16);
  CONSTANT(EXACT);
  CONSTANT(RELAXED);
  CONSTANT(PER_DIMENSION);
  CONSTANT(BLOCK_MEAN);
  CONSTANT(PAIRS);
  CONSTANT(CENTROID);
  CONSTANT(ESTIMATE);
  CONSTANT(MEASURE);
  CONSTANT(PATIENT);
  CONSTANT(GRADIENT_NONE);
  CONSTANT(GRADIENT_A);
  CONSTANT(GRADIENT_B);
  CONSTANT(GRADIENT_BOTH);
  CONSTANT(PRESET_EXACT);
  CONSTANT(PRESET_EXACT_SOLO_LEARN);
  CONSTANT(PRESET_EXACT_SOLO_LEARN_2048);
  CONSTANT(PRESET_EXACT_SOLO_LEARN_8192);
  CONSTANT(PRESET_RELAXED_2048);
  CONSTANT(PRESET_RELAXED_8192);
  CONSTANT(PRESET_RANDOM_SIGNS);
  return 0;
}
