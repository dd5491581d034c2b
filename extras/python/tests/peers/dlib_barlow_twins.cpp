// dlib's loss_barlow_twins_. Reads n, d, and the entries of two views, n x d each, row by row;
// writes the loss, and the entries of its gradients.
#include <dlib/dnn.h>

#include <iomanip>
#include <iostream>

namespace {

// What a loss asks of the layers below it: the views one below the other, and where gradients go.
struct Embeddings {
  dlib::resizable_tensor views, gradients;

  dlib::tensor& get_output() { return views; }
  dlib::tensor& get_gradient_input() { return gradients; }
  static int sample_expansion_factor() { return 2; }
};

}  // namespace

int main() {
  long n = 0, d = 0;
  std::cin >> n >> d;
  Embeddings embeddings;
  embeddings.views.set_size(2 * n, d);
  embeddings.gradients.set_size(2 * n, d);
  float* entries = embeddings.views.host();
  for (long i = 0; i < 2 * n * d; ++i) std::cin >> entries[i];

  const dlib::loss_barlow_twins_ loss;
  std::cout << std::setprecision(9)
            << loss.compute_loss_value_and_gradient(embeddings.views, embeddings) << '\n';
  const float* slopes = embeddings.gradients.host();
  for (long i = 0; i < 2 * n * d; ++i) std::cout << slopes[i] << '\n';
}
