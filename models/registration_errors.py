"""What a caller may be told went wrong with 10DLC registration. Standard library only."""

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
    """The brand is with the registry, or approved: only a draft or a rejected one is written."""

    code = "BRAND_NOT_EDITABLE"
    title = "The brand cannot be changed now"


class BrandNotApproved(WrongState):
    """Campaigns stand under an approved brand."""

    code = "BRAND_NOT_APPROVED"
    title = "The brand is not approved"


class CampaignNotEditable(WrongState):
    """The campaign is with the registry, or approved."""

    code = "CAMPAIGN_NOT_EDITABLE"
    title = "The campaign cannot be changed now"


class CampaignNotApproved(WrongState):
    """Numbers are assigned to approved campaigns."""

    code = "CAMPAIGN_NOT_APPROVED"
    title = "The campaign is not approved"


class NumberTaken(WrongState):
    """The number is in use already, or being bought."""

    code = "NUMBER_TAKEN"
    title = "The number is taken"


class NumberNotActive(WrongState):
    """The number is not the merchant's yet, or no longer."""

    code = "NUMBER_NOT_ACTIVE"
    title = "The number is not active"


class NumberNotAssignable(WrongState):
    """Only local numbers are assigned to 10DLC campaigns."""

    code = "NUMBER_NOT_ASSIGNABLE"
    title = "This kind of number is not assigned to campaigns"


class NumberAlreadyAssigned(WrongState):
    """The number has a campaign, or is on its way to or from one."""

    code = "NUMBER_ALREADY_ASSIGNED"
    title = "The number is assigned already"


class AssignmentPending(WrongState):
    """The number is being assigned; it can be given back once that is decided."""

    code = "ASSIGNMENT_PENDING"
    title = "The assignment is not decided yet"


class SoleProprietorLimit(WrongState):
    """A sole proprietor has one campaign, and one number for it."""

    code = "SOLE_PROPRIETOR_LIMIT"
    title = "A sole proprietor has one campaign and one number"
