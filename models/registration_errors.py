"""Errors of 10DLC registration that are returned to API callers. Standard library only."""

from models.errors import NotThere, WrongState


class BrandNotFound(NotThere):
    """The merchant has no brand."""

    code = "BRAND_NOT_FOUND"
    title = "No brand"


class CampaignNotFound(NotThere):
    """No campaign of this merchant has that id."""

    code = "CAMPAIGN_NOT_FOUND"
    title = "No such campaign"


class NumberNotFound(NotThere):
    """This merchant has not bought that number."""

    code = "NUMBER_NOT_FOUND"
    title = "No such number"


class BrandNotEditable(WrongState):
    """The brand is under review or approved; only a draft or a rejected brand can be changed."""

    code = "BRAND_NOT_EDITABLE"
    title = "The brand cannot be changed now"


class BrandNotApproved(WrongState):
    """A campaign needs an approved brand."""

    code = "BRAND_NOT_APPROVED"
    title = "The brand is not approved"


class CampaignNotEditable(WrongState):
    """The campaign is under review or approved."""

    code = "CAMPAIGN_NOT_EDITABLE"
    title = "The campaign cannot be changed now"


class CampaignNotApproved(WrongState):
    """Numbers can be assigned only to approved campaigns."""

    code = "CAMPAIGN_NOT_APPROVED"
    title = "The campaign is not approved"


class NumberTaken(WrongState):
    """The number is in use or is being bought."""

    code = "NUMBER_TAKEN"
    title = "The number is taken"


class NumberNotActive(WrongState):
    """The number is not active yet, or was released."""

    code = "NUMBER_NOT_ACTIVE"
    title = "The number is not active"


class NumberNotAssignable(WrongState):
    """Only local numbers can be assigned to 10DLC campaigns."""

    code = "NUMBER_NOT_ASSIGNABLE"
    title = "This kind of number is not assigned to campaigns"


class NumberAlreadyAssigned(WrongState):
    """The number has a campaign, or is being assigned or unassigned."""

    code = "NUMBER_ALREADY_ASSIGNED"
    title = "The number is assigned already"


class AssignmentPending(WrongState):
    """The number is being assigned; it can be released after that is decided."""

    code = "ASSIGNMENT_PENDING"
    title = "The assignment is not decided yet"


class SoleProprietorLimit(WrongState):
    """A sole proprietor may have one campaign with one number."""

    code = "SOLE_PROPRIETOR_LIMIT"
    title = "A sole proprietor has one campaign and one number"
