#include <decorr/c_api.h>

int main(void) {
  float z[] = {1, 0, 0, 1, 1, 1};
  decorr_input view = decorr_input_rows(z, DECORR_FLOAT32, 3, 2);
  decorr_barlow_twins_terms terms = {sizeof terms, 0, 0, 0};
  return decorr_barlow_twins_loss(&view, &view, NULL, NULL, NULL, NULL, NULL, &terms);
}
