#ifndef DECORR_TESTS_SUPPORT_FOREIGN_LOCALE_HPP_
#define DECORR_TESTS_SUPPORT_FOREIGN_LOCALE_HPP_

#include <locale>
#include <sstream>
#include <string>

namespace decorr_tests {

// While it lives, the C++ locale of the process writes 1234.5 as 1.234,5, as a German one would,
// which need not be installed.
class ForeignLocale {
 public:
  ForeignLocale() : before_(std::locale::global(std::locale(std::locale(), new Numbers))) {}
  ~ForeignLocale() { std::locale::global(before_); }
  ForeignLocale(const ForeignLocale&) = delete;
  ForeignLocale& operator=(const ForeignLocale&) = delete;

  template <class Number>
  static std::string text_of(Number number) {
    std::ostringstream text;
    text << number;
    return text.str();
  }

 private:
  class Numbers : public std::numpunct<char> {
    char do_thousands_sep() const override { return '.'; }
    char do_decimal_point() const override { return ','; }
    std::string do_grouping() const override { return "\3"; }
  };

  std::locale before_;
};

}  // namespace decorr_tests

#endif  // DECORR_TESTS_SUPPORT_FOREIGN_LOCALE_HPP_
