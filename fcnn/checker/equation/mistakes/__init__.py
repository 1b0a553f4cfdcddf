"""The mistakes that people make in one step of a backward pass, kind by kind.

Each function of the modules yields the mutations of one kind at one equation:

    module    kind                  the equation                  the mistake
    formula   missing term          a + b of two cotangents       a alone, b alone
              wrong term                                          a - b, a + 2 b
              missing factor        t = dy · f                    dy, or without two in a row
              wrong factor                                        dy · f², dy / f
              constant factor       a number in a formula         another number
    value     wrong value           f(value)                      f(another value of its shape)
              transposed            a matrix, a matrix product    with axes exchanged
              wrong value           an indexing                   with the indices of another line
    sums      wrong axis            a sum or maximum              over other axes
              missing sum term      Σ t, repeated along the axis  t itself
              mean for sum          Σ t                           Σ t / n
              overwritten           contributions to one entry    the last one
    mask      mask                  where(mask, a, b)             without, or with another mask
    order     channels exchanged    a split or merge of an axis   in another order
              channels exchanged    joined arrays                 in another order
              flipped               the largest entries           the smallest
    loop      truncated in time     a step back in time           the cotangent of one carry is lost
              flipped               a scan or cumulative sum      in the other direction
              shifted               the values that a scan saves  those of the step before or after
    moved     flipped, shifted      any value                     reversed, or shifted by one

These change the claimed backward pass only, to make it right:

    value     wrong value           a cotangent                   a value that does not depend on dy
    addition  extra factor, term    a value                       with a factor or a term more
              extra factor          a term of a sum               times or divided by a length
              overwritten           an assignment to entries      a sum of contributions
"""

from collections.abc import Callable, Iterator

from fcnn.checker.equation.mistakes import addition, formula, loop, mask, moved, order, sums, value
from fcnn.checker.equation.mutation import Mutation
from fcnn.checker.equation.place import Place

KINDS: dict[str, Callable[[Place], Iterator[Mutation]]] = {  # in the order of the search
    "terms": formula.terms,
    "loops": loop.loops,
    "overwritten": sums.overwritten,
    "masks": mask.masks,
    "orders": order.orders,
    "axes": sums.axes,
    "means": sums.means,
    "transposed": value.transposed,
    "indices": value.indices,
    "factors": formula.factors,
    "pairs of factors": formula.pairs_of_factors,
    "constants": formula.constants,
    "values": value.values,
    "moved": moved.moved,
    "everywhere": value.everywhere,
}
REPAIRS = {
    **KINDS,
    "mixed": value.mixed,
    "added": addition.added,
    "more factors": addition.more_factors,
    "more terms": addition.more_terms,
    "counts": addition.counts,
}
