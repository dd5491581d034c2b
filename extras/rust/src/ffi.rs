//! What this crate uses of `decorr/c_api.h`, as it stands there.

use std::os::raw::{c_char, c_void};

pub const OK: i32 = 0;

/// `decorr_input` and `decorr_output`, which differ in what the pointer allows.
#[repr(C)]
pub struct Array<Pointer> {
    pub size: usize,
    pub data: Pointer,
    pub element: i32,
    pub reserved: i32,
    pub rows: i64,
    pub cols: i64,
    pub row_stride: i64,
    pub col_stride: i64,
}

pub type Input = Array<*const c_void>;
pub type Output = Array<*mut c_void>;

#[repr(C)]
#[derive(Default)]
pub struct BarlowTwinsOptions {
    pub size: usize,
    pub lambda: f64,
    pub scale: f64,
    pub epsilon: f64,
    pub standardize: i32,
    pub reserved: i32,
}

#[repr(C)]
#[derive(Default)]
pub struct VicregOptions {
    pub size: usize,
    pub invariance: f64,
    pub variance: f64,
    pub covariance: f64,
    pub gamma: f64,
    pub epsilon: f64,
    pub scale: f64,
    pub sum_variance: i32,
    pub covariance_scaling: i32,
}

#[repr(C)]
pub struct Regularizer {
    pub size: usize,
    pub form: i32,
    pub exponent: i32,
    pub block_size: i64,
    pub permutation: *const i64,
    pub permutation_size: i64,
    pub signs_a: *const i8,
    pub signs_a_size: i64,
    pub signs_b: *const i8,
    pub signs_b_size: i64,
}

#[repr(C)]
#[derive(Default)]
pub struct Execution {
    pub size: usize,
    pub threads: i32,
    pub planning: i32,
}

#[repr(C)]
#[derive(Default)]
pub struct BarlowTwinsTerms {
    pub size: usize,
    pub value: f64,
    pub diagonal: f64,
    pub off_diagonal: f64,
}

#[repr(C)]
#[derive(Default)]
pub struct VicregTerms {
    pub size: usize,
    pub value: f64,
    pub invariance: f64,
    pub variance: f64,
    pub covariance: f64,
}

#[repr(C)]
#[derive(Default)]
pub struct VarianceCovarianceTerms {
    pub size: usize,
    pub value: f64,
    pub variance: f64,
    pub covariance: f64,
}

#[repr(C)]
pub struct Generator {
    opaque: [u8; 0],
}

/// `decorr_barlow_twins_loss` and `decorr_vicreg_loss`.
pub type TwoViewLoss<Options, Terms> = unsafe extern "C" fn(
    z_a: *const Input,
    z_b: *const Input,
    grad_a: *const Output,
    grad_b: *const Output,
    options: *const Options,
    regularizer: *const Regularizer,
    execution: *const Execution,
    terms: *mut Terms,
) -> i32;

/// The functions that write a struct's defaults.
pub type Defaults<Struct> = unsafe extern "C" fn(to: *mut Struct, size: usize) -> i32;

extern "C" {
    pub fn decorr_error_message() -> *const c_char;
    pub fn decorr_error_argument() -> *const c_char;
    pub fn decorr_version() -> *const c_char;
    pub fn decorr_cpu() -> *const c_char;

    pub fn decorr_barlow_twins_options_defaults(
        options: *mut BarlowTwinsOptions,
        size: usize,
    ) -> i32;
    pub fn decorr_vicreg_options_defaults(options: *mut VicregOptions, size: usize) -> i32;
    pub fn decorr_execution_defaults(execution: *mut Execution, size: usize) -> i32;

    pub fn decorr_barlow_twins_loss(
        z_a: *const Input,
        z_b: *const Input,
        grad_a: *const Output,
        grad_b: *const Output,
        options: *const BarlowTwinsOptions,
        regularizer: *const Regularizer,
        execution: *const Execution,
        terms: *mut BarlowTwinsTerms,
    ) -> i32;
    pub fn decorr_vicreg_loss(
        z_a: *const Input,
        z_b: *const Input,
        grad_a: *const Output,
        grad_b: *const Output,
        options: *const VicregOptions,
        regularizer: *const Regularizer,
        execution: *const Execution,
        terms: *mut VicregTerms,
    ) -> i32;
    pub fn decorr_variance_covariance_loss(
        z: *const Input,
        grad: *const Output,
        options: *const VicregOptions,
        regularizer: *const Regularizer,
        execution: *const Execution,
        terms: *mut VarianceCovarianceTerms,
    ) -> i32;

    pub fn decorr_generator_create(seed: u64, generator: *mut *mut Generator) -> i32;
    pub fn decorr_generator_destroy(generator: *mut Generator);
    pub fn decorr_random_permutation(
        generator: *mut Generator,
        d: i64,
        permutation: *mut i64,
    ) -> i32;
    pub fn decorr_random_signs(generator: *mut Generator, d: i64, signs: *mut i8) -> i32;
}
