"""decorr.torch over the processes of torch.distributed: what one process computes of all rows."""

import os
import tempfile
import traceback
import unittest
import warnings

import torch
import torch.multiprocessing

import decorr
from decorr.torch import (BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss, barlow_loss_func,
                          vicreg_loss_func)

ROWS = 7, 0, 4, 13  # of each process
D = 12
LOSSES = BarlowTwinsLoss, VICRegLoss, VarianceCovarianceLoss


def batch(dtype=torch.float64):
    """All rows, with offsets, and spreads on both sides of VICReg's hinge."""
    generator = torch.Generator().manual_seed(3)
    common, *own = torch.randn(3, sum(ROWS), D, dtype=torch.float64, generator=generator)
    spread = torch.linspace(0.3, 1.5, D, dtype=torch.float64)
    return [(1 + spread * (common + 0.5 * each)).to(dtype) for each in own]


def own_rows(z, rank):
    first = sum(ROWS[:rank])
    return z[first:first + ROWS[rank]]


def check_close(found, expected, tolerance=1e-11):
    if expected.numel() > 0:
        error = (found - expected).abs().max().item()
        assert error <= tolerance * max(expected.abs().max().item(), 1e-300), error


def loss_and_gradients(loss, views):
    views = [z.clone().requires_grad_() for z in views]
    value = loss(*views)
    return value.detach(), torch.autograd.grad(2 * value, views)


def settings():
    generator = torch.Generator().manual_seed(4)
    signs = [2 * torch.randint(0, 2, (D,), generator=generator) - 1 for _ in range(2)]
    yield {}
    for exponent in (1, 2):
        for block_size in (0, 5):
            for drawn in ({"signs": False}, {"signs": signs, "permutation": torch.randperm(D)}):
                if "permutation" in drawn:
                    drawn["permutation"] = torch.randperm(
                        D, generator=torch.Generator().manual_seed(5))
                yield {"regularizer": "relaxed", "exponent": exponent, "block_size": block_size,
                       **drawn}


def for_one_view(loss, keywords):
    if loss is VarianceCovarianceLoss and isinstance(keywords.get("signs"), list):
        return {**keywords, "signs": keywords["signs"][0]}
    return keywords


# ---- What each process does; a failed assertion ends it.

def same_as_one_process(rank):
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 2e-5)):
        for loss in LOSSES:
            views = batch(dtype)[:1 if loss is VarianceCovarianceLoss else 2]
            for keywords in settings():
                keywords = for_one_view(loss, keywords)
                value, gradients = loss_and_gradients(loss(**keywords), views)
                own_value, own_gradients = loss_and_gradients(
                    loss(process_group=True, **keywords), [own_rows(z, rank) for z in views])
                check_close(own_value, value, tolerance)
                for own, whole in zip(own_gradients, gradients):
                    check_close(own / len(ROWS), own_rows(whole, rank), tolerance)


def several_views(rank):
    views = [*batch(), batch()[0] + 0.3 * batch()[1]]
    for loss in (BarlowTwinsLoss, VICRegLoss):
        for combination in ("pairs", "centroid"):
            for keywords in list(settings())[::4]:
                keywords = {**keywords, "combination": combination}
                value, gradients = loss_and_gradients(loss(**keywords), views)
                own_value, own_gradients = loss_and_gradients(
                    loss(process_group=True, **keywords), [own_rows(z, rank) for z in views])
                check_close(own_value, value)
                for own, whole in zip(own_gradients, gradients):
                    check_close(own / len(ROWS), own_rows(whole, rank))


def functions_and_gather_distributed(rank):
    views = batch()
    own = [own_rows(z, rank) for z in views]
    for function in (barlow_loss_func, vicreg_loss_func):
        check_close(function(*own, process_group=True), function(*views))
    for loss in (BarlowTwinsLoss, VICRegLoss):
        check_close(loss(gather_distributed=True)(*own), loss()(*views))


def a_group_of_some(rank):
    group = torch.distributed.new_group([0, 3])
    if rank in (0, 3):
        views = [torch.cat([own_rows(z, 0), own_rows(z, 3)]) for z in batch()]
        own = [own_rows(z, rank) for z in batch()]
        value, gradients = loss_and_gradients(BarlowTwinsLoss(), views)
        own_value, own_gradients = loss_and_gradients(BarlowTwinsLoss(process_group=group), own)
        check_close(own_value, value)
        part = slice(0, ROWS[0]) if rank == 0 else slice(ROWS[0], None)
        check_close(own_gradients[0] / 2, gradients[0][part])


def draws_are_the_first_processs(rank):
    torch.manual_seed(100 + rank)
    loss = BarlowTwinsLoss(regularizer="relaxed", permutation=True, process_group=True)
    values = [float(loss(*(own_rows(z, rank) for z in batch()))) for _ in range(3)]
    torch.manual_seed(100)
    whole = batch()
    for value in values:
        seed = int(torch.randint(0, 2**48, (1,)))
        check_close(torch.tensor(value), BarlowTwinsLoss(
            regularizer="relaxed", permutation=True,
            generator=torch.Generator().manual_seed(seed))(*whole).float(), 1e-6)
    assert len(set(values)) == 3


def averaged_gradients(rank):
    """DistributedDataParallel's parameters' gradients are those of one process with all rows."""
    for loss, keywords in ((BarlowTwinsLoss, {}), (VICRegLoss, {"regularizer": "relaxed"})):
        torch.manual_seed(6)
        network = torch.nn.Sequential(torch.nn.Linear(D, 16), torch.nn.ReLU(),
                                      torch.nn.Linear(16, D)).double()
        whole = [network(z) for z in batch()]
        shared = {**keywords, "generator": torch.Generator().manual_seed(7)} if keywords else {}
        of_one = dict(shared)
        if keywords:
            seed = int(torch.randint(0, 2**48, (1,), generator=torch.Generator().manual_seed(7)))
            of_one["generator"] = torch.Generator().manual_seed(seed)
        expected = torch.autograd.grad(loss(**of_one)(*whole), list(network.parameters()))
        parallel = torch.nn.parallel.DistributedDataParallel(network)
        z = parallel(torch.cat([own_rows(z, rank) for z in batch()]))
        loss(process_group=True, **shared)(*z.tensor_split(2)).backward()
        found = [parameter.grad for parameter in network.parameters()]
        check_close(*(torch.cat([each.flatten() for each in all]) for all in (found, expected)))


def mistakes_end_all(rank):
    def failure(loss, views):
        try:
            loss(*views)
        except Exception as error:  # pylint: disable=broad-except
            return type(error), str(error)
        return None, ""

    own = [torch.ones(3, D) * torch.arange(3.0)[:, None] for _ in range(2)]
    is_last = rank == len(ROWS) - 1
    of_all = f"of {len(ROWS)} processes"
    for wrong, kind, text in (
            ([each.long() for each in own], TypeError, "z_a is of type torch.int64"),
            ([own[0], own[1][:2]], ValueError, "expected the same shape"),
            ([own[0][0], own[1]], ValueError, "z_a has 1 dimension, expected 2"),
            (["text", own[1]], TypeError, "z_a is a str")):
        for keywords in ({}, {"regularizer": "relaxed"}):
            found, message = failure(BarlowTwinsLoss(process_group=True, **keywords),
                                     wrong if is_last else own)
            if is_last:
                assert found is kind and text in message, message
            else:
                assert found is decorr.CollectiveError, message
                assert f"failed on 1 {of_all}" in message, message
    loss = BarlowTwinsLoss(process_group=True, eps=1e-3 if is_last else 1e-5)
    found, message = failure(loss, own)
    assert found is decorr.CollectiveError and "epsilon differs" in message, message
    found, message = failure(BarlowTwinsLoss(process_group=True),
                             [each.double() for each in own] if is_last else own)
    assert found is decorr.CollectiveError and "the scalar differs" in message, message
    # Whoever draws and whoever does not.
    for one, other in ((({}), {"regularizer": "relaxed"}),
                       ({"regularizer": "relaxed", "signs": False}, {"regularizer": "relaxed"})):
        found, message = failure(
            BarlowTwinsLoss(process_group=True, **(other if is_last else one)), own)
        assert found is decorr.CollectiveError and "differs" in message, message
    found, message = failure(BarlowTwinsLoss(process_group=True, backend="torch"), own)
    assert found is ValueError and "is for tensors on the CPU and libdecorr" in message, message
    found, message = failure(BarlowTwinsLoss(process_group=True), own)
    assert found is None, message


def not_a_number_reaches_all(rank):
    own = [own_rows(z, rank).clone() for z in batch()]
    if rank == 2:
        own[0][0, 0] = float("nan")
    assert torch.isnan(BarlowTwinsLoss(process_group=True)(*own))


def in_parts(rank):
    """decorr's batches, which sum as well."""
    def summed(numbers):
        torch.distributed.all_reduce(torch.from_numpy(numbers))
    views = [z.numpy() for z in batch()]
    own = [own_rows(z, rank) for z in views]
    expected = [z.copy() for z in views]
    terms = decorr.barlow_twins_loss(*views, *expected)
    parts = decorr.BarlowTwinsBatch(D, "float64", execution=decorr.Execution(sum=summed))
    cuts = [slice(0, 2), slice(2, 2), slice(2, None)]
    while parts.has_pass():
        for cut in cuts:
            parts.add(own[0][cut], own[1][cut])
        parts.end_pass()
    assert parts.count() == sum(ROWS)
    assert abs(parts.loss().value - terms.value) <= 1e-11 * terms.value
    gradients = [z.copy() for z in own]
    for cut in cuts:
        parts.gradient(own[0][cut], own[1][cut], gradients[0][cut], gradients[1][cut])
    for mine, whole in zip(gradients, expected):
        check_close(torch.from_numpy(mine), torch.from_numpy(own_rows(whole, rank)))


TASKS = (same_as_one_process, several_views, functions_and_gather_distributed, a_group_of_some,
         draws_are_the_first_processs, averaged_gradients, mistakes_end_all,
         not_a_number_reaches_all, in_parts)


def run(rank, folder):
    warnings.filterwarnings("ignore", "(lambda|nu)_param=")
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank,
                                         world_size=len(ROWS))
    for task in TASKS:
        try:
            task(rank)
        except BaseException:
            print(f"process {rank}, {task.__name__}:\n{traceback.format_exc()}", flush=True)
            os._exit(1)
        print(f"{task.__name__} of process {rank}", flush=True)
        torch.distributed.barrier()


class Distributed(unittest.TestCase):
    def test_processes(self):
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(run, (folder,), len(ROWS))

    def test_a_group_can_be_no_part_of_a_copy(self):
        import pickle
        self.assertIn("process_group=True", repr(BarlowTwinsLoss(process_group=True)))
        copy = pickle.loads(pickle.dumps(BarlowTwinsLoss(process_group=True)))
        self.assertEqual(copy.settings.process_group, True)


if __name__ == "__main__":
    unittest.main()
