/* A library with some of FFTW's names, of which the transforms do nothing. */
#define OTHER_FFTW(prefix)                      \
  void* prefix##_plan_many_dft(void);           \
  void* prefix##_plan_many_dft(void) {          \
    static int plan;                            \
    return &plan;                               \
  }                                             \
  void prefix##_execute_dft(void);              \
  void prefix##_execute_dft(void) {}            \
  void prefix##_destroy_plan(void);             \
  void prefix##_destroy_plan(void) {}           \
  int prefix##_export_wisdom_to_filename(void); \
  int prefix##_export_wisdom_to_filename(void) { return 0; }

OTHER_FFTW(fftw)
OTHER_FFTW(fftwf)
