// Before a public header: macros as windows.h, X11, Arduino.h and complex.h define them, in a
// program that has met the standard library before.
#include <vector>

// windows.h
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define near
#define far
#define small char
#define interface struct
#define CONST const
#define DELETE 1
#define ERROR 0
#define FALSE 0
#define IN
#define OUT
#define TRUE 1
// X11
#define Always 2
#define Bool int
#define Complex 0
#define Convex 2
#define False 0
#define None 0L
#define Status int
#define Success 0
#define True 1
#define Unsorted 0
// Arduino.h
#define DEFAULT 1
#define HIGH 1
#define INPUT 0
#define LOW 0
#define OUTPUT 1
#define PI 3.1415926535897932384626433832795
#define abs(x) ((x) > 0 ? (x) : -(x))
#define bit(b) (1UL << (b))
#define constrain(x, low, high) ((x) < (low) ? (low) : ((x) > (high) ? (high) : (x)))
#define degrees(x) ((x) * 57.295779513082320876798154814105)
#define radians(x) ((x) * 0.017453292519943295769236907684886)
#define round(x) ((x) >= 0 ? (long)((x) + 0.5) : (long)((x) - 0.5))
#define sq(x) ((x) * (x))
#define word(...) makeWord(__VA_ARGS__)
// complex.h and math.h of C
#define I _Complex_I
#define complex _Complex
#define isfinite(x) __builtin_isfinite(x)
#define isinf(x) __builtin_isinf(x)
#define isnan(x) __builtin_isnan(x)
