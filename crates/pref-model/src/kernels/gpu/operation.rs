//! An operation of our own in the stream of operations that Burn's fusion collects. In: tensors, the shapes and number
//! formats of the results, and a function that starts kernels. Out: the results as tensors.
//!
//! Fusion runs operations later, and calls the function then. An input that nothing else holds comes to the function as
//! the only reference to its memory, so that the function may write into it.

use std::fmt;
use std::marker::PhantomData;

use burn::tensor::{DType, Shape};
use burn_cubecl::fusion::FusionCubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{FusionRuntime, FusionTensor};
use burn_ir::{CustomOpIr, HandleContainer, OperationIr, TensorIr};

/// A tensor of the backend with fusion.
pub(super) type Lazy<R> = FusionTensor<FusionCubeRuntime<R>>;

/// The memory of the tensors that fusion knows.
type Handles<R> = HandleContainer<<FusionCubeRuntime<R> as FusionRuntime>::FusionHandle>;

/// The number formats of a backend, which the kernels do not need but Burn's types do.
type Formats<F, I, BT> = PhantomData<fn() -> (F, I, BT)>;

struct Custom<R, F, I, BT, K, const N: usize, const M: usize> {
    description: CustomOpIr,
    kernels: K,
    formats: Formats<F, I, BT>,
    runtime: PhantomData<fn() -> R>,
}

impl<R, F, I, BT, K, const N: usize, const M: usize> fmt::Debug for Custom<R, F, I, BT, K, N, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description.id)
    }
}

impl<R, F, I, BT, K, const N: usize, const M: usize> Operation<FusionCubeRuntime<R>>
    for Custom<R, F, I, BT, K, N, M>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
    K: Fn([CubeTensor<R>; N]) -> [CubeTensor<R>; M] + Send + Sync,
{
    fn execute(&self, handles: &mut Handles<R>) {
        let (inputs, outputs) = self.description.as_fixed::<N, M>();
        // Below fusion, tensors of all kinds have one type, so that this also reads integers.
        let inputs = inputs
            .each_ref()
            .map(|input| handles.get_float_tensor::<CubeBackend<R, F, I, BT>>(input));
        for (output, tensor) in outputs.iter().zip((self.kernels)(inputs)) {
            handles.register_float_tensor::<CubeBackend<R, F, I, BT>>(&output.id, tensor);
        }
    }
}

/// Adds an operation to the stream of its first input, and returns its results, which are computed later.
///
/// `kernels` must return tensors of the given shapes and number formats.
pub(super) fn operation<R, F, I, BT, K, const N: usize, const M: usize>(
    name: &'static str,
    inputs: [Lazy<R>; N],
    outputs: [(Shape, DType); M],
    kernels: K,
) -> [Lazy<R>; M]
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
    K: Fn([CubeTensor<R>; N]) -> [CubeTensor<R>; M] + Send + Sync + 'static,
{
    let client = inputs[0].client.clone();
    let streams = OperationStreams::with_inputs(&inputs);
    let outputs = outputs
        .map(|(shape, format)| TensorIr::uninit(client.create_empty_handle(), shape, format));
    let inputs = inputs.map(FusionTensor::into_ir);
    let description = CustomOpIr::new(name, &inputs, &outputs);
    let custom = Custom::<R, F, I, BT, K, N, M> {
        description: description.clone(),
        kernels,
        formats: PhantomData,
        runtime: PhantomData,
    };
    let results = client.register(streams, OperationIr::Custom(description), custom);
    results
        .try_into()
        .expect("one result for each description of an output")
}
