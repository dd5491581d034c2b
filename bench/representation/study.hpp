#ifndef DECORR_BENCH_REPRESENTATION_STUDY_HPP_
#define DECORR_BENCH_REPRESENTATION_STUDY_HPP_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "estimator.hpp"
#include "npy.hpp"
#include "rows.hpp"
#include "storage.hpp"
#include "training.hpp"

/// @file
/// The rows of docs/evidence.md, in the order of their importance, and how they are worked off.

namespace representation {

struct StudySettings {
  TrainingSettings base;  ///< of all rows, where they do not say otherwise
  Index held_out_images = 10000;
  std::vector<std::uint64_t> seeds = {0, 1, 2};
  Path folder = "build/evidence";
  int threads = 1;
  std::string only;  ///< a regular expression: rows whose names it is found in
  double checkpoint_seconds = 20;
  double cost_seconds = 2;  ///< of measured steps a row of the costs
  int draws = 200;          ///< of each estimator
};

/// A form of the regularizer as the tables name it.
struct NamedForm {
  std::string name;
  support::RegularizerForm form;
  std::vector<double> weights = {1};  ///< that are tried with the first seed
};

inline std::vector<NamedForm> named_forms(Index d) {
  const auto relaxed = [](const char* randomization, Index block_size = 0, int exponent = 2) {
    support::RegularizerForm form;
    form.randomization = randomization;
    form.block_size = block_size;
    form.exponent = exponent;
    return form;
  };
  support::RegularizerForm exact;
  exact.regularizer = "exact";
  const std::vector<double> squares = {1, 0.1, 0.01}, absolutes = {10, 1, 0.1};
  std::vector<NamedForm> forms = {{"exact", exact},
                                  {"signs", relaxed("signs")},
                                  {"permutation", relaxed("permutation"), squares},
                                  {"plain", relaxed("none"), squares},
                                  {"both", relaxed("both")}};
  for (const Index b : {512, 128}) {
    if (b >= d) continue;
    const std::string block = ", b = " + std::to_string(b);
    forms.push_back({"signs" + block, relaxed("signs", b)});
    forms.push_back({"permutation" + block, relaxed("permutation", b), squares});
  }
  forms.push_back({"plain, q = 1", relaxed("none", 0, 1), absolutes});
  forms.push_back({"permutation, q = 1", relaxed("permutation", 0, 1), absolutes});
  forms.push_back({"signs, q = 1", relaxed("signs", 0, 1), absolutes});
  return forms;
}

/// A row to be made: its name, what it depends on, and how it is made, on so many threads.
struct Job {
  std::string name;
  Json key;
  double size = 0;     ///< about how much work it is
  bool alone = false;  ///< it measures times
  std::function<Json(int threads)> work;
};

class Study {
 public:
  explicit Study(StudySettings settings)
      : settings_(std::move(settings)),
        sets_(load_images(settings_.base.data, settings_.base.training_images,
                          settings_.held_out_images)),
        results_(settings_.folder / "results.jsonl") {
    // A kill between a row and the removal of its checkpoint leaves one.
    std::filesystem::create_directories(settings_.folder / "running");
  }

  void print_names() const {
    for (const auto& phase : phases()) {
      for (const Job& job : phase()) {
        std::printf("%s%s\n", job.name.c_str(), results_.find(job.key) ? "  (is there)" : "");
      }
    }
  }

  /// Works off all phases. Later ones depend on the results of earlier ones.
  void run() {
    for (const auto& phase : phases()) {
      for (const Job& job : phase()) left_ += is_open(job) ? job.size : 0;
    }
    for (const auto& phase : phases()) {
      std::vector<Job> alone, beside;
      for (Job& job : phase()) {
        if (is_open(job)) (job.alone ? alone : beside).push_back(std::move(job));
      }
      work_off(alone, 1, settings_.threads);
      work_off(beside, settings_.threads, 1);
    }
  }

 private:
  using Phase = std::function<std::vector<Job>()>;

  // What comes first has to be there if the time does not suffice for all.
  std::vector<Phase> phases() const {
    std::vector<Phase> all = {[&] { return baseline_jobs(); }, [&] { return minima_jobs(); },
                              [&] { return leaving_jobs(); }, [&] { return estimator_jobs(); },
                              [&] { return adversarial_jobs(); }};
    const auto add_training = [&](Index d) {
      all.emplace_back([&, d] { return first_seed_jobs(d); });
      all.emplace_back([&, d] { return other_seed_jobs(d); });
    };
    add_training(2048);
    all.emplace_back([&] { return other_weight_jobs(2048); });
    all.emplace_back([&] { return cost_jobs(); });
    add_training(8192);
    all.emplace_back([&] { return equal_time_jobs(); });
    add_training(512);
    return all;
  }

  bool is_open(const Job& job) const {
    return results_.find(job.key) == nullptr &&
           (settings_.only.empty() || std::regex_search(job.name, std::regex(settings_.only)));
  }

  void work_off(const std::vector<Job>& jobs, int workers, int threads) {
    std::mutex mutex;
    std::size_t next = 0;
    std::exception_ptr error;
    const auto worker = [&] {
      for (;;) {
        const Job* job = nullptr;
        {
          const std::lock_guard<std::mutex> lock(mutex);
          if (error || next == jobs.size()) return;
          job = &jobs[next++];
          std::printf("%s\n", job->name.c_str());
          std::fflush(stdout);
        }
        try {
          Stopwatch watch;
          Json row = job->work(threads);
          const std::lock_guard<std::mutex> lock(mutex);
          row["seconds"] = watch.lap() / workers;
          row["name"] = job->name;
          row["key"] = job->key;
          results_.append(row);
          std::filesystem::remove(checkpoint_of(job->name));
          tell_time_left(*job);
        } catch (...) {
          const std::lock_guard<std::mutex> lock(mutex);
          error = std::current_exception();
        }
      }
    };
    std::vector<std::thread> others;
    for (int i = 1; i < workers; ++i) others.emplace_back(worker);
    worker();
    for (std::thread& other : others) other.join();
    if (error) std::rethrow_exception(error);
  }

  void tell_time_left(const Job& job) {
    elapsed_ += watch_.lap();
    done_ += job.size;
    left_ -= job.size;
    std::printf("done: %s; so far %s, left for all about %s\n", job.name.c_str(),
                clock_text(elapsed_).c_str(), clock_text(elapsed_ / done_ * left_).c_str());
    std::fflush(stdout);
  }

  Path checkpoint_of(const std::string& name) const {
    std::string file = name;
    std::replace_if(file.begin(), file.end(), [](char c) { return c == '/' || c == ' '; }, '_');
    return settings_.folder / "running" / file;
  }

  /// Beyond it a step is so long that trainings take half as many.
  static constexpr Index kLargestOfAllSteps = 4096;

  /// Multiplications a step, in billions, of network and loss.
  static double work_of(const TrainingSettings& s) {
    const auto n = static_cast<double>(s.batch_size), d = static_cast<double>(s.dimension);
    const double network = 2 * n * 3 * (400e3 + 256 * d);
    const double loss = s.exact() ? 4 * n * d * std::min(n, d) : 400 * n * d;
    return (network + loss + 4e8 * n / 256) / 1e9;
  }

  TrainingSettings with(const std::string& loss, Index d, const support::RegularizerForm& form,
                        double weight, std::uint64_t seed) const {
    TrainingSettings s = settings_.base;
    static_cast<support::RegularizerForm&>(s) = form;
    s.loss = loss;
    s.dimension = d;
    if (d > kLargestOfAllSteps) s.steps = std::max(1, s.steps / 2);
    s.weight = weight;
    s.seed = seed;
    return s;
  }

  static Json key_of_part(const std::string& part, const TrainingSettings& s) {
    Json key = key_of(s);
    key["part"] = part;
    return key;
  }
  static std::string name_of(const std::string& part, const TrainingSettings& s,
                             const std::string& form) {
    char weight[32];
    std::snprintf(weight, sizeof weight, "%g", s.weight);
    return part + "/" + s.loss + "/n " + std::to_string(s.batch_size) + "/d " +
           std::to_string(s.dimension) + "/" + form + "/weight " + weight + "/seed " +
           std::to_string(s.seed);
  }

  /// A training with its results.
  Job training_job(const std::string& part, const TrainingSettings& s,
                   const std::string& form) const {
    const std::string name = name_of(part, s, form);
    const auto work = [this, s, name, form](int threads) {
      Training training(s, sets_, threads);
      representation::run(training, {checkpoint_of(name), settings_.checkpoint_seconds},
                          Progress(name));
      Json row = results_of(training);
      row["form"] = form;
      return row;
    };
    return {name, key_of_part(part, s), work_of(s) * s.steps + 500, false, work};
  }

  /// What there is to read without a training: of the pixels, and of an untrained encoder.
  std::vector<Job> baseline_jobs() const {
    const TrainingSettings s = with("barlow_twins", 512, {}, 1, settings_.seeds.front());
    const auto row_of = [](const Readout& readout) {
      return Json{{"linear", readout.linear}, {"neighbours", readout.neighbours}};
    };
    const auto pixels = [this, row_of](int threads) {
      const support::LabelledImages labelled = probe_images(sets_);
      return row_of(read_out(labelled.images, labelled.labels, sets_.held_out.images,
                             sets_.held_out.labels, threads));
    };
    const auto untrained = [this, row_of, s](int threads) {
      Model model(s, sets_.training.images.cols());
      return row_of(read_out(model, sets_, threads));
    };
    return {{"baseline/pixels", key_of_part("pixels", s), 100, false, pixels},
            {"baseline/untrained", key_of_part("untrained", s), 100, false, untrained}};
  }

  std::vector<Job> first_seed_jobs(Index d) const {
    std::vector<Job> jobs;
    for (const char* loss : {"barlow_twins", "vicreg"}) {
      for (const NamedForm& f : named_forms(d)) {
        for (const double weight : f.weights) {
          jobs.push_back(training_job(
              "training", with(loss, d, f.form, weight, settings_.seeds.front()), f.name));
        }
      }
    }
    return jobs;
  }

  /// What the grid would have been for the forms that keep the published weight: those that find
  /// another one better may owe it to the weight.
  std::vector<Job> other_weight_jobs(Index d) const {
    std::vector<Job> jobs;
    for (const char* loss : {"barlow_twins", "vicreg"}) {
      for (const NamedForm& f : named_forms(d)) {
        if (f.name != "exact" && f.name != "signs") continue;
        for (const double weight : {0.1, 0.01}) {
          jobs.push_back(training_job(
              "other weight", with(loss, d, f.form, weight, settings_.seeds.front()), f.name));
        }
      }
    }
    return jobs;
  }

  /// Of a grid the weight with the best accuracy on images kept from training, by the first seed.
  double best_weight(const std::string& loss, Index d, const NamedForm& f) const {
    double best = f.weights.front(), best_accuracy = -1;
    if (f.weights.size() == 1) return best;
    for (const double weight : f.weights) {
      const Json* row = results_.find(
          key_of_part("training", with(loss, d, f.form, weight, settings_.seeds.front())));
      if (row == nullptr || row->at("validation") <= best_accuracy) continue;
      best_accuracy = row->at("validation");
      best = weight;
    }
    return best;
  }

  std::vector<Job> other_seed_jobs(Index d) const {
    std::vector<Job> jobs;
    for (std::size_t i = 1; i < settings_.seeds.size(); ++i) {
      for (const char* loss : {"barlow_twins", "vicreg"}) {
        for (const NamedForm& f : named_forms(d)) {
          const double weight = best_weight(loss, d, f);
          jobs.push_back(
              training_job("training", with(loss, d, f.form, weight, settings_.seeds[i]), f.name));
        }
      }
    }
    return jobs;
  }

  /// What a step costs, of all batch sizes.
  std::vector<Job> cost_jobs() const {
    std::vector<Job> jobs;
    for (const Index n : {256, 1024, 4096}) {
      for (const Index d : {2048, 8192, 512}) {
        for (const char* loss : {"barlow_twins", "vicreg"}) {
          for (const NamedForm& f : named_forms(d)) {
            TrainingSettings s = with(loss, d, f.form, 1, 0);
            s.batch_size = n;
            s.steps = 1000;
            if (n > sets_.training.images.rows()) continue;
            const auto work = [this, s, f](int threads) {
              Training training(s, sets_, threads);
              Json row = costs_of(training, settings_.cost_seconds);
              row["form"] = f.name;
              return row;
            };
            const double size = std::max(60 * settings_.cost_seconds, 3 * work_of(s));
            jobs.push_back({name_of("cost", s, f.name), key_of_part("cost", s), size, true, work});
          }
        }
      }
    }
    return jobs;
  }

  /// As many steps as the exact form's take time, by the measured times of a step.
  std::vector<Job> equal_time_jobs() const {
    std::vector<Job> jobs;
    const auto add = [&](const std::string& loss, Index d, const std::vector<std::string>& names) {
      double seconds = 0;
      for (const std::uint64_t seed : settings_.seeds) {
        for (const NamedForm& f : named_forms(d)) {
          if (std::find(names.begin(), names.end(), f.name) == names.end()) continue;
          TrainingSettings s = with(loss, d, f.form, best_weight(loss, d, f), seed);
          s.batch_size = 1024;
          if (s.batch_size > sets_.training.images.rows()) continue;
          TrainingSettings cost = with(loss, d, f.form, 1, 0);
          cost.batch_size = s.batch_size;
          cost.steps = 1000;
          const Json* row = results_.find(key_of_part("cost", cost));
          const double step = row == nullptr ? 1 : row->at("step_ms").get<double>() / 1000;
          // The exact form sees as many images as in a training of smaller batches.
          const int exact_steps =
              std::max(1, static_cast<int>(s.steps * settings_.base.batch_size / s.batch_size));
          if (f.form.exact()) seconds = exact_steps * step;
          s.steps = row == nullptr ? exact_steps
                                   : std::max(1, static_cast<int>(std::lround(seconds / step)));
          jobs.push_back(training_job("equal time", s, f.name));
        }
      }
    };
    add("barlow_twins", 2048, {"exact", "signs", "signs, b = 512", "permutation", "plain"});
    add("vicreg", 2048, {"exact", "signs", "signs, b = 512", "permutation", "plain"});
    add("barlow_twins", 8192, {"exact", "signs, b = 512", "permutation"});
    return jobs;
  }

  // Local minima: the exact weight for all, the correlations along the way.

  static constexpr Index kMinimaDimension = 2048;

  Job curve_job(const std::string& part, const TrainingSettings& s, const std::string& form,
                const std::function<std::vector<std::uint8_t>(int)>& beginning) const {
    const std::string name = name_of(part, s, form);
    const auto work = [this, s, name, form, beginning](int threads) {
      Training training(s, sets_, threads);
      if (beginning) training.begin_with(beginning(threads));
      Progress progress(name);
      representation::run(training, {checkpoint_of(name), settings_.checkpoint_seconds},
                          [&](Training& t) {
                            progress(t);
                            record_curve(t);
                          });
      Json row = results_of(training);
      row["form"] = form;
      row["curve"] = training.notes["curve"];
      return row;
    };
    return {name, key_of_part(part, s), work_of(s) * s.steps + 3000, false, work};
  }

  void record_curve(Training& training) const {
    const int points = 50, step = training.steps_done();
    const bool is_early = step <= 20 && step % 2 == 0;
    if (step % std::max(1, training.settings().steps / points) != 0 && !is_early) return;
    const Decorrelation seen =
        held_out_decorrelation(training.model(), sets_, 512, training.threads());
    training.notes["curve"].push_back({{"step", step},
                                       {"r_off_per_pair", seen.r_off_per_pair},
                                       {"r_sum_per_pair", seen.r_sum_per_pair},
                                       {"copies", seen.copies}});
  }

  std::vector<NamedForm> minima_forms() const {
    std::vector<NamedForm> forms;
    for (const NamedForm& f : named_forms(kMinimaDimension)) {
      if (f.form.exponent == 2 && f.form.block_size != 512) forms.push_back(f);
    }
    return forms;
  }

  std::vector<Job> minima_jobs() const {
    std::vector<Job> jobs;
    for (const std::uint64_t seed : settings_.seeds) {
      for (const NamedForm& f : minima_forms()) {
        jobs.push_back(curve_job("minima", with("barlow_twins", kMinimaDimension, f.form, 1, seed),
                                 f.name, nullptr));
      }
    }
    return jobs;
  }

  /// The last state of a training, which is kept for those that begin with it.
  std::vector<std::uint8_t> trained(const TrainingSettings& s, int threads) const {
    const std::lock_guard<std::mutex> lock(beginnings_mutex_);  // the next one finds it done
    const Path file = settings_.folder / ("beginning_of_seed_" + std::to_string(s.seed));
    Training training(s, sets_, threads);
    representation::run(training, {file, settings_.checkpoint_seconds}, [](Training&) {});
    replace_file(file, training.state());
    return training.state();
  }

  /// From where the plain form has ended: how long each remedy needs to leave it.
  std::vector<Job> leaving_jobs() const {
    std::vector<Job> jobs;
    for (const std::uint64_t seed : settings_.seeds) {
      support::RegularizerForm plain;
      plain.randomization = "none";
      const TrainingSettings before = with("barlow_twins", kMinimaDimension, plain, 1, seed);
      for (const NamedForm& f : minima_forms()) {
        jobs.push_back(curve_job("leaving", with("barlow_twins", kMinimaDimension, f.form, 1, seed),
                                 f.name,
                                 [this, before](int threads) { return trained(before, threads); }));
      }
    }
    return jobs;
  }

  // The study of the estimator.

  /// Writes the embeddings of a batch of held-out images, and studies them.
  Json study_moment(Training& training, const std::string& name) const {
    const TrainingSettings& s = training.settings();
    const Index n = std::min(s.batch_size, sets_.held_out.images.rows());
    const Matrix views = two_views(sets_, sets_.held_out.images, nullptr, n, s, Purpose::evaluation,
                                   1, training.threads());
    const Matrix z = training.model().project(views, training.threads());
    const Path folder = settings_.folder / "embeddings";
    std::filesystem::create_directories(folder);
    const auto write = [&](const Matrix& view, const std::string& file) {
      std::ofstream stream(folder / file, std::ios::binary);
      inspect::write_npy(stream, view.cast<double>(), inspect::NpyLayout());
    };
    write(z.topRows(n), name + "_a.npy");
    write(z.bottomRows(n), name + "_b.npy");
    const Embeddings embeddings = s.loss == "vicreg"
                                      ? centred_view(z.topRows(n))
                                      : correlated_views(z.topRows(n), z.bottomRows(n));
    Json result = study_estimators(embeddings, settings_.draws, s.seed);
    result["step"] = training.steps_done();
    return result;
  }

  std::vector<Job> estimator_jobs() const {
    std::vector<Job> jobs;
    const std::vector<NamedForm> forms = named_forms(2048);
    const auto add = [&](const std::string& loss, const NamedForm& f) {
      const TrainingSettings s = with(loss, 2048, f.form, 1, settings_.seeds.front());
      const std::string name = name_of("estimator", s, f.name);
      const auto work = [this, s, name, f](int threads) {
        Training training(s, sets_, threads);
        Progress progress(name);
        representation::run(
            training, {checkpoint_of(name), settings_.checkpoint_seconds}, [&](Training& t) {
              progress(t);
              const std::vector<std::pair<std::string, int>> moments = {
                  {"start", 0}, {"middle", s.steps / 2}, {"end", s.steps}};
              for (const auto& [moment, step] : moments) {
                if (t.steps_done() != step || t.notes.contains(moment)) continue;
                t.notes[moment] = study_moment(t, s.loss + "_" + f.name + "_" + moment);
              }
            });
        return Json{{"form", f.name}, {"moments", training.notes}};
      };
      jobs.push_back({name, key_of_part("estimator", s),
                      work_of(s) * s.steps + 40.0 * settings_.draws, true, work});
    };
    add("barlow_twins", forms[0]);
    add("vicreg", forms[0]);
    add("barlow_twins", forms[3]);
    return jobs;
  }

  std::vector<Job> adversarial_jobs() const {
    std::vector<Job> jobs;
    for (const auto& [name, adversary] :
         {std::pair{"plane", Adversary::plane}, std::pair{"copies", Adversary::copies}}) {
      const Index n = 256, d = adversarial_dimension(adversary, 512);
      const Matrix view = adversarial_embeddings(adversary, n, d);
      for (const NamedForm& f : minima_forms()) {
        const TrainingSettings s = with("barlow_twins", d, f.form, 1, settings_.seeds.front());
        const auto work = [view, s, f](int) {
          return Json{{"form", f.name}, {"curve", descend_from(view, s, 500, s.seed)}};
        };
        const std::string part = std::string("adversarial ") + name;
        jobs.push_back({name_of(part, s, f.name), key_of_part(part, s), 200, true, work});
      }
      const TrainingSettings s = with("barlow_twins", d, minima_forms()[0].form, 1, 0);
      const std::string part = std::string("adversarial values ") + name;
      const auto work = [this, view](int) {
        return study_estimators(correlated_views(view, view), settings_.draws, 0);
      };
      jobs.push_back({name_of(part, s, "all"), key_of_part(part, s), 200, true, work});
    }
    return jobs;
  }

  StudySettings settings_;
  ImageSets sets_;
  ResultsFile results_;
  mutable std::mutex beginnings_mutex_;
  Stopwatch watch_;
  double elapsed_ = 0, done_ = 0, left_ = 0;
};

}  // namespace representation

#endif  // DECORR_BENCH_REPRESENTATION_STUDY_HPP_
