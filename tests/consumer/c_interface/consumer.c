/* A C program that uses libdecorr as any other would. */
#include <decorr/c_api.h>
#include <stdio.h>

int main(void) {
  /* Two identical views of uncorrelated features: C is the unit matrix but for epsilon. */
  float z[] = {1, 1, 1, -1, -1, 1, -1, -1}, grad_a[8] = {0}, grad_b[8] = {0};
  decorr_input z_a = decorr_input_rows(z, DECORR_FLOAT32, 4, 2);
  decorr_output out_a = decorr_output_rows(grad_a, DECORR_FLOAT32, 4, 2);
  decorr_output out_b = decorr_output_rows(grad_b, DECORR_FLOAT32, 4, 2);
  decorr_barlow_twins_terms terms = {sizeof(decorr_barlow_twins_terms), -1, -1, -1};
  decorr_status status =
      decorr_barlow_twins_loss(&z_a, &z_a, &out_a, &out_b, NULL, NULL, NULL, &terms);
  printf("decorr %s: %s, loss %g\n", decorr_version(), decorr_status_name(status), terms.value);
  return status == DECORR_OK && terms.value >= 0 && terms.value < 1e-8 ? 0 : 1;
}
