"""decorr's losses for PyTorch, with the names and defaults that its users know.

    from decorr.torch import BarlowTwinsLoss

    criterion = BarlowTwinsLoss()                        # lightly's, exact
    criterion = BarlowTwinsLoss(regularizer="relaxed")   # in O(n d log d), on average the same
    loss = criterion(z_a, z_b)                           # raw embeddings, n x d
    loss.backward()

BarlowTwinsLoss and VICRegLoss give the values and gradients of lightly's classes of these names,
barlow_loss_func and vicreg_loss_func those of solo-learn's functions. VarianceCovarianceLoss has
VICReg's terms for a single view, of any layer.

More than two views, as of multi-crop training: `criterion(z_1, z_2, z_3)` is the sum of the loss
over all pairs, one draw of permutation and signs for all of them; `combination="centroid"`, an
argument of BarlowTwinsLoss and VICRegLoss, takes each view against the mean of all views instead
(decorr.barlow_twins_loss_of_views and decorr.vicreg_loss_of_views tell more). Neither is divided by
the number of its terms: `scale` is there for that. VICRegLoss costs the same for each view; over
pairs BarlowTwinsLoss costs as much as its loss of each pair, on the CPU less with a relaxed
regularizer of one block.

Tensors have two dimensions, a row a sample: float32, float64, float16 or bfloat16, of which the
last two are computed in float32. VICRegLoss, vicreg_loss_func and VarianceCovarianceLoss also take
n x ... x d, and are then the mean over the slices n x d, each with a draw of its own. The loss has
no dimension and the inputs' type, under autocast float32 for 16-bit ones; gradients go back in the
inputs' types. A view that requires no gradient, as a teacher's, gets none, and it is not computed.
A 16-bit loss holds three digits at best, and a gradient scaler's factor may be beyond it:
`criterion(z_a.float(), z_b.float())` gives a float32 loss. There are first derivatives only:
`create_graph=True` gives a gradient, which cannot be differentiated. Nor is there one by the
options, which may be numbers or tensors of one element that require none.

On the CPU libdecorr computes, and reads tensors in place, whatever their strides. Of tensors on
other devices the same formulas are computed there, in PyTorch's operations and with the same
derivatives by hand; the exact regularizer then always goes through the d x d matrix.

All losses take these keyword arguments, which do not change what is asked for unless
`regularizer="relaxed"` does:

  regularizer  "exact", the default, or "relaxed"
  exponent     of the relaxed one: 2, the default, or 1
  block_size   of the relaxed one: features in a block; 0, the default, is a single block
  permutation  of the relaxed one: False, the default; True: drawn anew for each forward; or d
               integers
  signs        of the relaxed one: True, the default: drawn anew for each forward, with which and
               exponent 2 the relaxed loss is on average the exact one, so that its weights carry
               over; False; or a pair, the signs of view a and of view b (for a single view these
               alone), d integers each
  generator    the torch.Generator to draw from, the permutation first, then signs a, then signs b;
               None, the default, is PyTorch's own, which torch.manual_seed seeds
  threads      None, the default, is torch.get_num_threads(); results are the same for any number
  planning     "measure", the default, "patient", or "estimate", with which alone results repeat bit
               for bit from run to run
  process_group  None, the default; or the processes that hold the batch together: True for all of
               torch.distributed's, where that is initialized, or a group of them
  backend      "auto", the default: libdecorr on the CPU, PyTorch's operations elsewhere; or
               "torch", these always

and the modules one more:

  evaluation_seed  None, the default: after eval(), too, each forward draws anew, so that a loss for
               validation is noisy; or an integer, from which all forwards after eval() draw alike

Integers are sequences, NumPy arrays or tensors of an integer type on the CPU, and are copied when
the loss is made; None is False.

A draw of signs is an estimate of the exact loss, with a single block a noisy one where d is small
or not large beside n. Smaller blocks cut the noise, whose standard deviation falls about like
sqrt(block_size / d): for example block_size=512 at d = 8192, with a quarter of a single block's.

Weights do not carry over from the exact regularizer to a relaxed one without signs, nor to exponent
1: decorr.barlow_twins_preset and decorr.vicreg_preset have published ones. A warning tells of
signs=False and exponent=1 with the exact regularizer's weight.

The modules' `terms` are those of the last forward of the thread that asks.

torch.compile. With PyTorch 2.4 and newer the modules are one operator, decorr::loss, in a compiled
graph, also with fullgraph=True. A generator, a process group, an evaluation seed and several
views are no part of a graph: with them the forward runs between two graphs. So do the functions.

Activation checkpointing repeats a forward with the state that PyTorch's own generators had, and so
with the same draws. A generator of yours would go on: a loss that draws from one refuses to be
called in torch.utils.checkpoint.

Several processes. With `process_group` each process gives its own rows, as many as it has, perhaps
none, and the loss is that of all rows together, the same on all of them. Gradients are those of
this loss by the process's own rows, times the number of processes: DistributedDataParallel averages
the parameters' gradients over the processes, and the average is then the gradient of the loss. What
draws a permutation or signs draws the same on all, by a generator with a seed that the first
process draws from its own. Tensors are on the CPU, and sums go over it, so with the backend gloo,
or several ("cpu:gloo,cuda:nccl"); they are O(d) numbers but for the exact loss, d^2
(docs/distributed.md). What is wrong on one process raises on all of them, there a
decorr.CollectiveError, which says how many have failed. gather_distributed=True, an argument of
lightly's losses, is process_group=True.

Errors are those of decorr: TypeError for what is no dense tensor of floating-point numbers,
ValueError for what does not fit, RuntimeError for second derivatives. Settings are checked when a
loss is made, but for what depends on the number of features.

Not supported: torch.jit, forward-mode derivatives, torch.func.vmap.

Processes. A child that is forked while another thread plans (the first call for a length does), or
after a call with several threads, may hang in a call of its own, as in PyTorch itself: start
processes with the method "spawn", or before the fork call with threads=1 alone and make the first
calls. Workers of a DataLoader that do not call decorr may be forked.
"""

from __future__ import annotations

from ._losses import (
    BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss, barlow_loss_func, vicreg_loss_func)

__all__ = ["BarlowTwinsLoss", "VICRegLoss", "VarianceCovarianceLoss", "barlow_loss_func",
           "vicreg_loss_func"]

# What callers see in messages, pickles and help() is where they have it from.
for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
