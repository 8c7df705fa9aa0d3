"""What can go wrong in a kernel, as Python errors that name the program, the line and the tensor."""


class UnsupportedTriton(ImportError):
    """The installed Triton is none that the simulator is tested with."""


class OutOfBounds(IndexError):
    """A program reads or writes memory that belongs to no element of the tensor. On a GPU: garbage, or a crash."""


class Race(RuntimeError):
    """Two programs touch one element and at least one of them writes it. On a GPU the order, so the result, is luck."""


class DeviceAssert(AssertionError):
    """A `tl.device_assert` (or `tl.assume`) that does not hold."""
